use std::path::Path;

use sip::sdp::AudioCodec;

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
    assert_eq!(config.listen, [SocketAddr::from(([0, 0, 0, 0], 5060)).into()]);
    assert_eq!(config.rtp_ports, (16384, 32767));
    assert_eq!(config.limits.call, Duration::from_secs(600));
    assert_eq!(config.limits.drain, config.limits.call, "no call is cut");
    assert_eq!(config.store_url.0, "sqlite:///var/lib/offhook/offhook.db");
    assert_eq!(config.record_dir, Path::new("/var/lib/offhook/recordings"));
    assert!(config.dial_allow.is_empty(), "nothing may be dialed unless it is allowed");
    assert_eq!(config.scheduling.hours, control::CallingHours::default(), "no hours unless they are configured");
}

#[test]
fn webhooks_are_on_the_public_internet_unless_they_may_be_elsewhere() {
    let allow_private = |text: &str| read(text).map(|config| config.webhooks.allow_private);
    assert_eq!(allow_private(""), Ok(false));
    assert_eq!(allow_private("[webhooks]\nallow_private = true\n"), Ok(true));
    assert_eq!(
        complaints("[webhooks]\nallow_privat = true\n"),
        ["line 2: unknown key `allow_privat`; did you mean `allow_private`?"]
    );
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
    let trunk = &config.trunks[0].gateway;
    assert_eq!(trunk.domain, "trunk.test");
    assert_eq!(trunk.next_hop, gateway::NextHop::Uri("sip:127.0.0.1:5070;transport=udp".into()));
    assert_eq!(trunk.credentials.as_ref().map(|known| known.password.as_str()), Some("from the environment"));
    assert_eq!(trunk.allow_from.len(), 2);
    assert!(!format!("{config:?}").contains("from the environment"), "secrets do not print");
}

#[test]
fn a_trunk_is_held_to_what_it_may() {
    let config = read(
        r#"
        [[trunk]]
        preset = "telnyx"
        uri = "sip:trunk.test"
        register = false
        redirects = ["two.trunk.test"]
        privacy = "id"
        asserted_identity = "+15550100"
        inbound_users = [{ username = "desk", password = "long-secret" }]
        "#,
    )
    .expect("a good trunk");
    let Trunk { gateway: trunk, calls_apart } = &config.trunks[0];
    assert_eq!((trunk.register, *calls_apart), (false, Some(Duration::from_millis(50))));
    assert_eq!(trunk.redirects, sip::Redirects::To(vec!["two.trunk.test".into()]));
    let asserted = Some("sip:+15550100@trunk.test".to_owned());
    assert_eq!(trunk.presentation, sip::Presentation { withheld: true, asserted });
    let callers = trunk.callers.as_ref().expect("they are challenged");
    assert_eq!((callers.realm.as_str(), callers.users.len()), ("trunk.test", 1));
    assert_eq!(
        complaints(
            "[[trunk]]\npreset = \"skype\"\nredirects = [\"a.test:5060\"]\nprivacy = \"full\"\n\
             asserted_identity = \"me\"\ninbound_users = [{ username = \"a\" }]\n"
        ),
        [
            "line 2: trunk[0].preset: \"skype\" is no preset; write one of registrar, address, twilio-elastic, telnyx",
            "line 3: trunk[0].redirects[0]: \"a.test:5060\" is not a host; write for example \"sip2.example.com\" or \
             \"192.0.2.7\", without a port",
            "line 4: trunk[0].privacy: \"full\" is no kind of privacy; write \"none\", or \"id\" to withhold who calls",
            "line 5: trunk[0].asserted_identity: \"me\" is no identity; write a number with its +, or a URI such as \
             \"tel:+15550100\"",
            "line 6: trunk[0].inbound_users[0]: needs `username` and `password`",
        ]
    );
}

#[test]
fn the_codecs_of_a_trunk_are_offered_as_they_are_written() {
    let codecs = |text: &str| read(text).map(|config| config.trunks[0].gateway.codecs.clone());
    assert_eq!(codecs("[[trunk]]\n"), Ok(vec![AudioCodec::Pcmu, AudioCodec::Pcma]));
    assert_eq!(codecs("[[trunk]]\ncodecs = [\"g722\", \"PCMU\"]\n"), Ok(vec![AudioCodec::G722, AudioCodec::Pcmu]));
    assert_eq!(
        complaints("[[trunk]]\ncodecs = [\"PCMU\", \"G729\"]\n"),
        [
            "line 2: trunk[0].codecs[1]: \"G729\" is not a codec we speak; write \"PCMU\", \"PCMA\", \"G722\" or \"OPUS\""
        ]
    );
    let opus = codecs("[[trunk]]\ncodecs = [\"PCMU\", \"opus\"]\n");
    #[cfg(feature = "opus")]
    assert_eq!(opus, Ok(vec![AudioCodec::Pcmu, AudioCodec::Opus]));
    #[cfg(not(feature = "opus"))]
    assert_eq!(
        opus,
        Err(vec![
            "line 2: trunk[0].codecs[1]: \"opus\" is not in this program; build it with \
             `cargo build --release -p server --features opus`"
                .to_owned()
        ])
    );
}

#[test]
fn a_user_name_with_a_host_of_its_own_calls_as_itself() {
    let config = read("[[trunk]]\nuri = \"sip:a.test\"\nusername = \"alice@b.test\"\npassword = \"p\"\n");
    assert_eq!(config.expect("it is escaped").trunks[0].gateway.caller_id, "alice@b.test");
}

#[test]
fn every_mistake_names_its_line_its_key_and_what_to_write() {
    let all = complaints(
        "[sip]\nlisten = [\"sctp://0.0.0.0:5060\"]\n[media]\nports = \"9\"\n[limits]\nring = \"soon\"\n[[api.key]]\nkey = \"${NOT_SET}\"\n",
    );
    assert_eq!(
        all,
        [
            "line 2: sip.listen[0]: \"sctp://0.0.0.0:5060\": udp://, tcp:// and tls:// are spoken; write for example \"udp://0.0.0.0:5060\"",
            "line 4: media.ports: \"9\" is not a range of at least two ports above 1023; write for example \"16384-32767\"",
            "line 6: limits.ring: \"soon\" is not a duration; write for example \"20s\", \"10m\", \"1h30m\" or \"30d\"",
            "line 7: api.key[0]: needs `key`",
            "line 8: api.key[0].key: the environment variable NOT_SET is not set; set it, or write the value here",
        ]
    );
}

#[test]
fn a_name_that_is_given_twice_names_the_line_of_the_first() {
    let key = |name: &str| format!("[[api.key]]\nname = \"{name}\"\nkey = \"12345678\"\n");
    assert_eq!(
        complaints(&(key("ops") + &key("ops"))),
        ["line 5: api.key[1].name: \"ops\" is the name of the key of line 2 already; give each key a name of its own"]
    );
    assert_eq!(
        complaints("[[trunk]]\nname = \"a\"\n[[trunk]]\nname = \"trunk2\"\n[[trunk]]\n[[trunk]]\nname = \"a\"\n"),
        [
            "line 5: trunk[2].name: \"trunk2\" is the name of the trunk of line 4 already; give each trunk a name of its own",
            "line 7: trunk[3].name: \"a\" is the name of the trunk of line 2 already; give each trunk a name of its own",
        ]
    );
    let route = |agent: &str| format!("[[route]]\nto = \"+15550100\"\nagent = \"{agent}\"\n");
    assert_eq!(
        complaints(&(route("echo") + &route("default"))),
        ["line 5: route[1].to: \"+15550100\" is the number of the route of line 2 already; keep one of the two"]
    );
}

#[test]
fn what_cannot_be_meant_is_a_mistake() {
    for (text, complaint) in [
        (
            "[[route]]\nto = \"1\"\nagent = \"front\"\n",
            "line 3: route[0].agent: no agent is named \"front\"; write \"default\", \"echo\", \"milliwatt\" or \"reject\"",
        ),
        (
            "[tts]\nvoice = \"anna\"\n",
            "line 2: tts.voice: \"anna\" is not a voice of \"local\"; write one of \"slt\", \"awb\", \"rms\", \"kal16\", \"kal\"",
        ),
        (
            "[sip]\nlisten = []\n",
            "line 2: sip.listen: names no address, so no call could come or go; write for example [\"udp://0.0.0.0:5060\"]",
        ),
        (
            "[limits]\nring = \"0s\"\n",
            "line 2: limits.ring: \"0s\" is no time at all; write for example \"20s\", \"10m\" or \"30d\"",
        ),
        (
            "[limits]\ncall = \"0m0s\"\n",
            "line 2: limits.call: \"0m0s\" is no time at all; write for example \"20s\", \"10m\" or \"30d\"",
        ),
        (
            "[media]\nrecord_retention = \"0d\"\n",
            "line 2: media.record_retention: \"0d\" is no time at all; write for example \"20s\", \"10m\" or \"30d\"",
        ),
        (
            "[media]\nconsent = \" \"\n",
            "line 2: media.consent: says nothing; write what is to be said, or leave it out to say nothing",
        ),
        (
            "[dial]\nhours = [\"mon-fri 9-17\"]\n",
            "line 2: dial.hours[0]: \"mon-fri 9-17\" are no hours; write for example \"mon-fri 09:00-20:00\" or \"sat \
             10:00-14:00\"",
        ),
        (
            "[dial]\nholidays = [\"easter\"]\n",
            "line 2: dial.holidays[0]: \"easter\" is no day; write for example \"2027-04-05\", or \"12-25\" for every year",
        ),
        (
            "[dial]\ntime_zone = \"CEST\"\n",
            "line 2: dial.time_zone: \"CEST\" is no name of the IANA time zone database; write for example \
             \"Europe/Berlin\" or \"UTC\"",
        ),
        ("[limits]\ncalls_per_agent = 0\n", "line 2: limits.calls_per_agent: 0 is out of range; write 1 to 100000"),
        (
            "[dial]\nallow = [\"+1\", \"\"]\n",
            "line 2: dial.allow[1]: an empty prefix allows nothing; write \"+\" to allow every number, or leave it out",
        ),
        (
            "[[trunk]]\nmax_calls_per_second = 0.0\n",
            "line 2: trunk[0].max_calls_per_second: 0 is out of range; write 0.001 to 1000, or leave it out for no limit",
        ),
        (
            "[[trunk]]\nname = \"inbound\"\n",
            "line 2: trunk[0].name: \"inbound\" stands for what `[sip] allow_from` lets in; write another name",
        ),
        (
            "[[trunk]]\ncaller_id = \"+1 555 0100\"\n",
            "line 2: trunk[0].caller_id: \"+1 555 0100\" is no caller id; write a number with its +, or a user name such as \
             \"front-desk\"",
        ),
        (
            "[[trunk]]\noutbound_proxy = \"sip:proxy.test\"\n",
            "line 1: trunk[0].outbound_proxy: needs `uri`: whose calls go by that proxy",
        ),
        (
            "[[trunk]]\ninbound_users = [{ username = \"desk\", password = \"\" }]\n",
            "line 2: trunk[0].inbound_users[0].password: is shorter than 8 characters; make one with `openssl rand -hex 24`",
        ),
        (
            "[[route]]\nto = \"1\"\n",
            "line 1: route[0]: needs `to` (the called number) and `agent` (an agent, \"echo\", \"milliwatt\" or \"reject\")",
        ),
    ] {
        assert_eq!(complaints(text), [complaint]);
    }
}

#[test]
fn recordings_are_wav_unless_the_program_has_opus_and_is_told_to_use_it() {
    let format = |text: &str| read(&format!("[media]\n{text}\n")).map(|config| config.recording_format.extension());
    assert_eq!(format(""), Ok("wav"));
    assert_eq!(format("recording_format = \"wav\""), Ok("wav"));
    let complaint = |what: &str| Err(vec![format!("line 2: media.recording_format: {what}")]);
    assert_eq!(
        format("recording_format = \"mp3\""),
        complaint("\"mp3\" is no format of recordings; write \"wav\" or \"opus\"")
    );
    let without =
        complaint("\"opus\" is not in this program; build it with `cargo build --release -p server --features opus`");
    assert_eq!(format("recording_format = \"opus\""), if cfg!(feature = "opus") { Ok("opus") } else { without });
}

#[test]
fn how_long_recordings_stay_and_how_fast_calls_go_are_read() {
    let config =
        read("[media]\nrecord_retention = \"30d\"\n[[trunk]]\nmax_calls_per_second = 2.5\n").expect("both are known");
    assert_eq!(config.record_retention, Some(Duration::from_secs(30 * 24 * 3600)));
    assert_eq!(config.trunks[0].calls_apart, Some(Duration::from_millis(400)));
    assert!(config.warnings.is_empty());
}

#[test]
fn the_key_of_recordings_is_read_in_hexadecimal_and_base64() {
    let key = |text: &str| read(&format!("media.recording_key = \"{text}\"")).map(|config| config.recording_key);
    let expected = || Ok(Some(gateway::RecordingKey::new(std::array::from_fn(|n| n as u8 + 0xE0))));
    assert_eq!(key("e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), expected());
    assert_eq!(key("E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF"), expected());
    assert_eq!(key("4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8="), expected());
    assert_eq!(key("4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8"), expected());
    assert!(!format!("{:?}", expected()).contains("224"), "a key does not print");

    let complaint = "line 1: media.recording_key: is no key of 32 bytes, in 64 hexadecimal digits or in Base64; make one \
                     with `openssl rand -hex 32`, keep it in a file, and write \"${file:recording-key}\"";
    for other in [
        "",
        "a passphrase that somebody thought of",
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfe",
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfefff",
        "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v9=",
        "4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/g==",
    ] {
        assert_eq!(complaints(&format!("media.recording_key = \"{other}\"")), [complaint], "{other:?}");
    }
}

#[test]
fn what_is_announced_is_a_sentence_or_two() {
    let consent = |text: &str| read(&format!("media.consent = \"{text}\"")).map(|config| config.consent);
    assert_eq!(read("").map(|config| config.consent), Ok(None));
    assert_eq!(consent("This call may be recorded. "), Ok(Some("This call may be recorded.".into())));
    assert!(consent(&"a".repeat(300)).is_ok());
    let long = "line 1: media.consent: is longer than 300 characters, which take 20 seconds to be said; write less";
    assert_eq!(consent(&"a".repeat(301)), Err(vec![long.to_owned()]));
}

#[test]
fn how_often_a_path_is_kept_open_is_read() {
    let keep_alive = |text: &str| read(text).map(|config| config.keep_alive);
    assert_eq!(keep_alive(""), Ok(Some(Duration::from_secs(25))));
    assert_eq!(keep_alive("sip.keep_alive = \"1m\""), Ok(Some(Duration::from_secs(60))));
    assert_eq!(keep_alive("sip.keep_alive = \"0s\""), Ok(None));
    assert_eq!(keep_alive("sip.keep_alive = \"1s\""), Ok(Some(Duration::from_secs(1))));
    let brief = "line 1: sip.keep_alive: \"500ms\" is too often; write \"1s\" or more, or \"0s\"";
    assert_eq!(complaints("sip.keep_alive = \"500ms\""), [brief]);
}

#[test]
fn the_database_is_a_file_or_postgresql_whose_password_does_not_print() {
    let config = read("node.name = \"edge-1\"\nstore.url = \"postgres://offhook:${SECRET}@db.test/offhook\"")
        .expect("a good configuration");
    assert_eq!(config.node, "edge-1");
    assert_eq!(config.store_url.0, "postgres://offhook:from the environment@db.test/offhook");
    assert!(!format!("{config:?}").contains("from the environment"), "secrets do not print");

    let unknown = "line 1: store.url: is not supported; write \"sqlite:///path/offhook.db\" or \
                   \"postgres://user:password@host/database\"";
    assert_eq!(complaints("store.url = \"mysql://localhost/offhook\""), [unknown]);
    assert_eq!(complaints("node.name = \" \""), ["line 1: node.name: is empty; write a name, or leave the key out"]);
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
