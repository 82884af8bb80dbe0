//! Numbers and addresses as text, for what each message has several of: `format!` costs many times as much.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// A number in decimal.
pub(crate) fn push_number(text: &mut String, number: impl Into<u64>) {
    let mut rest = number.into();
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

/// Sixteen hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, number: u64) {
    for shift in (0..16).rev() {
        let digit = (number >> (4 * shift)) as u8 & 0xf;
        text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
    }
}

/// An address as it stands in SDP, without brackets.
pub(crate) fn push_ip(text: &mut String, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => {
            for (place, octet) in v4.octets().into_iter().enumerate() {
                if place > 0 {
                    text.push('.');
                }
                push_number(text, octet);
            }
        }
        // Writing to a String cannot fail.
        IpAddr::V6(v6) => drop(write!(text, "{v6}")),
    }
}

/// Address and port as they stand in a URI or a Via.
pub(crate) fn push_address(text: &mut String, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            push_ip(text, IpAddr::V4(*v4.ip()));
            text.push(':');
            push_number(text, v4.port());
        }
        SocketAddr::V6(v6) => drop(write!(text, "{v6}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: impl Fn(&mut String)) -> String {
        let mut text = String::new();
        push(&mut text);
        text
    }

    #[test]
    fn they_are_written_as_format_would() {
        for number in [0, 7, 10, 255, 65_535, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(written(|text| push_number(text, number)), number.to_string());
            assert_eq!(written(|text| push_hex(text, number)), format!("{number:016x}"));
        }
        for address in
            ["0.0.0.0:0", "192.0.2.1:5060", "255.255.255.255:65535", "[2001:db8::1]:5061", "[::ffff:1.2.3.4]:1"]
        {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(written(|text| push_address(text, address)), address.to_string());
            assert_eq!(written(|text| push_ip(text, address.ip())), address.ip().to_string());
        }
    }
}
