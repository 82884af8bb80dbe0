//! Pure: no I/O, no clock.
//! [`Target`]: where a webhook is, read from its URL. Names are looked up when it is sent to, and looked at then.

use std::net::IpAddr;

use reqwest::Url;

use super::address::{is_public, is_public_name};

/// Longest URL, in bytes.
const MAX_URL: usize = 2000;

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// As it is sent to.
    pub(crate) url: Url,
    /// The name that is to be looked up; `None` where the URL has an address.
    pub(crate) name: Option<String>,
}

impl Target {
    /// Reads a URL; the error says what to send instead. With `allow_private`, any address and plain HTTP will do.
    pub(crate) fn parse(text: &str, allow_private: bool) -> Result<Self, String> {
        let instead = "send an https URL of the public internet, like https://example.com/hooks";
        if text.len() > MAX_URL {
            return Err(format!("send a URL of at most {MAX_URL} bytes"));
        }
        // Whatever an address is spelled like (0x7f.1, 2130706433, 0177.0.0.1), what is read is the address.
        let url = Url::parse(text).map_err(|error| format!("{error}: {instead}"))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_private => {}
            "http" => return Err(format!("http is not encrypted, and needs [webhooks] allow_private: {instead}")),
            other => return Err(format!("{other} is no way to send a webhook: {instead}")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("send a URL without user name and password: receivers check the signature".to_owned());
        }
        if url.fragment().is_some() {
            return Err("send a URL without a fragment (#…): it is never sent".to_owned());
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_allowed = allow_private
            || match address {
                Some(address) => is_public(address),
                None => is_public_name(&host),
            };
        if !is_allowed {
            return Err(format!("{host} is not on the public internet: {instead}"));
        }
        Ok(Self { url, name: address.is_none().then_some(host) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_however_it_is_spelled() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.0.0.1/",
            "https://0177.0.0.1/",
            "https://017700000001/",
            "https://0/",
            "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
            "https://１２７.０.０.１/",
            "https://①②⑦.0.0.1/",
            "https://[::1]/",
            "https://[::]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[fd00:ec2::254]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://0251.0376.0251.0376/",
            "https://100.64.0.1/",
            "https://100.100.100.200/",
            "https://168.63.129.16/",
            "https://192.0.0.192/",
            "https://10.0.0.1:8443/x",
            "https://172.31.0.1/",
            "https://192.168.1.1/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://metadata.google.internal/",
            "https://printer/",
            "https:\\\\127.0.0.1\\x",
        ] {
            let refused = Target::parse(url, false).unwrap_err();
            assert!(refused.contains("is not on the public internet: send an https URL"), "{url}: {refused}");
            assert!(Target::parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_to_send_to_is_refused_with_what_to_send() {
        let long = format!("https://example.com/{}", "x".repeat(MAX_URL));
        for url in [
            "",
            "example.com",
            "https://",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://999.1.1.1/",
            "https://ada:s3cret@example.com/",
            "https://ada@example.com/",
            "https://example.com/#top",
            &long,
        ] {
            for allow_private in [false, true] {
                let refused = Target::parse(url, allow_private).unwrap_err();
                assert!(refused.contains("send a"), "{url}: {refused}");
                assert!(!refused.contains("s3cret"), "{refused}");
            }
        }
        assert!(Target::parse("http://example.com/", false).unwrap_err().contains("[webhooks] allow_private"));
        let target = Target::parse("http://example.com/", true).unwrap();
        assert_eq!(target.name.as_deref(), Some("example.com"));
    }

    #[test]
    fn what_is_public_is_taken() {
        for (url, name) in [
            ("https://example.com/hooks?token=1", Some("example.com")),
            ("https://EXAMPLE.com:8443/", Some("example.com")),
            ("https://1.1.1.1/", None),
            ("https://[2606:4700::1111]/", None),
        ] {
            assert_eq!(Target::parse(url, false).unwrap().name.as_deref(), name, "{url}");
        }
    }
}
