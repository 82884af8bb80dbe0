//! What is known of kinds of trunks: the files of `config/trunks/`.

use super::raw::{self, Trunk};

/// Name and section. A section names with `@…@` what each user has to fill in.
pub const PRESETS: [(&str, &str); 4] = [
    ("registrar", include_str!("../../../../config/trunks/registrar.toml")),
    ("address", include_str!("../../../../config/trunks/address.toml")),
    ("twilio-elastic", include_str!("../../../../config/trunks/twilio-elastic.toml")),
    ("telnyx", include_str!("../../../../config/trunks/telnyx.toml")),
];

/// The section of that name.
pub fn section(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, section)| *section)
}

/// Their names, as a sentence lists them.
pub fn names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

/// A trunk's keys, and those of its preset where it has none of its own. What is each user's own is not taken from there.
pub fn filled_in(trunk: Trunk, section: &str) -> Trunk {
    let read = raw::read(section).ok().and_then(|raw| raw.trunk.into_iter().next());
    let preset = read.map(toml::Spanned::into_inner).unwrap_or_default();
    Trunk {
        register: trunk.register.or(preset.register),
        realms: trunk.realms.or(preset.realms),
        srtp: trunk.srtp.or(preset.srtp),
        codecs: trunk.codecs.or(preset.codecs),
        dtmf: trunk.dtmf.or(preset.dtmf),
        allow_from: trunk.allow_from.or(preset.allow_from),
        max_calls: trunk.max_calls.or(preset.max_calls),
        max_calls_per_second: trunk.max_calls_per_second.or(preset.max_calls_per_second),
        ..trunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_is_one_trunk() {
        for (name, section) in PRESETS {
            assert_eq!(raw::read(section).expect(name).trunk.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_trunks_own_keys_come_before_those_of_its_preset() {
        let (_, telnyx) = PRESETS[3];
        let nothing = filled_in(Trunk::default(), telnyx);
        assert_eq!((nothing.register, nothing.username.is_some()), (Some(true), false));
        let own = filled_in(Trunk { register: Some(false), ..Trunk::default() }, telnyx);
        assert_eq!((own.register, own.max_calls_per_second.map(toml::Spanned::into_inner)), (Some(false), Some(20.0)));
    }
}
