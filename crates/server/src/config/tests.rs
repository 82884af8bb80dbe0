use std::path::Path;

use super::*;

fn read(text: &str) -> Result<Config, Vec<String>> {
    let environment = |name: &str| (name == "SECRET").then(|| "from the environment".to_owned());
    parse(text, Path::new("/nonexistent"), &environment)
        .map_err(|problems| problems.iter().map(Problem::to_string).collect())
}

fn complaints(text: &str) -> Vec<String> {
    read(text).expect_err("the text has mistakes")
}

#[test]
fn an_empty_file_is_a_working_configuration() {
    let config = read("").expect("all keys have defaults");
    assert_eq!(config.listen, [SocketAddr::from(([0, 0, 0, 0], 5060))]);
    assert_eq!(config.rtp_ports, (16384, 32767));
    assert_eq!(config.limits.call, Duration::from_secs(600));
    assert_eq!(config.store_url, "sqlite:///var/lib/offhook/offhook.db");
    assert_eq!(config.record_dir, Path::new("/var/lib/offhook/recordings"));
    assert!(config.dial_allow.is_empty(), "nothing may be dialed unless it is allowed");
}

#[test]
fn a_trunk_is_read_with_its_secrets_from_the_environment() {
    let config = read(
        r#"
        [[trunk]]
        name = "kamailio"
        uri = "sip:trunk.test"
        outbound_proxy = "sip:127.0.0.1:5070;transport=udp"
        username = "gateway"
        password = "${SECRET}"
        register = true
        allow_from = ["registrar", "127.0.0.0/8", "::1"]
        dtmf = "inband"
        "#,
    )
    .expect("a good trunk");
    let trunk = &config.trunks[0];
    assert_eq!(trunk.domain, "trunk.test");
    assert_eq!(trunk.next_hop, Some(("127.0.0.1".into(), 5070)));
    assert_eq!(trunk.credentials.as_ref().map(|known| known.password.as_str()), Some("from the environment"));
    assert_eq!(trunk.allow_from.len(), 2);
    assert!(!format!("{config:?}").contains("from the environment"), "secrets do not print");
}

#[test]
fn every_mistake_names_its_line_its_key_and_what_to_write() {
    let all = complaints(
        "[sip]\nlisten = [\"tcp://0.0.0.0:5060\"]\n[media]\nports = \"9\"\n[limits]\nring = \"soon\"\n[[api.key]]\nkey = \"${NOT_SET}\"\n",
    );
    assert_eq!(
        all,
        [
            "line 2: sip.listen[0]: \"tcp://0.0.0.0:5060\": only udp:// is spoken; write for example \"udp://0.0.0.0:5060\"",
            "line 4: media.ports: \"9\" is not a range of at least two ports above 1023; write for example \"16384-32767\"",
            "line 6: limits.ring: \"soon\" is not a duration; write for example \"20s\", \"10m\", \"1h30m\" or \"30d\"",
            "line 7: api.key[0]: needs `key`",
            "line 8: api.key[0].key: the environment variable NOT_SET is not set; set it, or write the value here",
        ]
    );
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    assert_eq!(complaints("[[trunk]]\nnmae = \"x\"\n"), ["line 2: unknown key `nmae`; did you mean `name`?"]);
    assert_eq!(complaints("[medai]\n"), ["line 1: unknown key `medai`; did you mean `media`?"]);
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let all = complaints("[node]\nname = \"open\ndata_dir = 1\n");
    assert!(all[0].starts_with("line 2: "), "{all:?}");
}

#[test]
fn what_is_understood_but_not_acted_on_is_a_warning() {
    let config = read("[limits]\nspend_per_day = \"50.00 USD\"\n").expect("only a warning");
    assert_eq!(
        config.warnings[0].to_string(),
        "line 2: limits.spend_per_day: is understood but not acted on by this version"
    );
}

#[test]
fn the_shipped_configuration_files_are_right() {
    for file in ["default.toml", "example.toml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        let environment = |_: &str| Some("a-secret-value".to_owned());
        let result = parse(&text, path.parent().expect("a directory"), &environment);
        assert!(result.is_ok(), "{file}: {:?}", result.err());
    }
}
