//! Where deliveries may go. A webhook is a URL that somebody else chose and this server calls: it must not
//! reach what only this machine and its neighbours can.

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Checks the URL of a webhook.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_url(text: &str, private: bool) -> Result<(), String> {
    if text.len() > 2000 {
        return Err("must have at most 2000 characters".into());
    }
    let url = Url::parse(text).map_err(|_| "must be a URL such as https://example.com/hook")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must be a URL such as https://example.com/hook".into());
    }
    let literal = match url.host() {
        Some(url::Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(url::Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        _ => None,
    };
    let local = url
        .domain()
        .map(|name| name.trim_end_matches('.'))
        .is_some_and(|name| name == "localhost" || name.ends_with(".localhost"));
    if !private && (local || literal.is_some_and(is_forbidden)) {
        return Err(FORBIDDEN.into());
    }
    Ok(())
}

const FORBIDDEN: &str = "leads to an address of this machine or its private network; start the server \
                         with --private-webhooks to allow that";

/// Addresses that are not of the public internet.
pub(super) fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => is_forbidden_v6(ip),
    }
}

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let protocols = a == 192 && b == 0 && c == 0;
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarking = a == 198 && (b == 18 || b == 19);
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || shared
        || protocols
        || benchmarking
}

fn is_forbidden_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let [first, second, third, .., high, low] = segments;
    // An IPv4 address in another coat: mapped, compatible, translated (64:ff9b::/96), or 6to4 (2002::/16).
    let embedded = ip.to_ipv4().or_else(|| {
        let translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
        let tunnelled = (first == 0x2002).then(|| v4(second, third));
        translated.then(|| v4(high, low)).or(tunnelled)
    });
    // Teredo, local translation, and the site-local addresses of old.
    let others = (first, second) == (0x2001, 0)
        || (first, second, third) == (0x64, 0xff9b, 1)
        || first & 0xffc0 == 0xfec0;
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
        || others
        || embedded.is_some_and(is_forbidden_v4)
}

/// Resolves names, and leaves out what is forbidden: checked where the connection is made, so a name that
/// changes its address after it was registered gains nothing.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found
                .filter(|address| !is_forbidden(address.ip()))
                .collect();
            if public.is_empty() {
                return Err(FORBIDDEN.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_called() {
        for forbidden in [
            "http://127.0.0.1/",
            "http://10.1.2.3/",
            "http://192.168.0.1:8080/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://localhost:9000/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fec0::1]/",
            // The URL standard reads these as 127.0.0.1.
            "http://2130706433/",
            "http://0x7f.1/",
        ] {
            assert!(check_url(forbidden, false).is_err(), "{forbidden}");
            assert!(check_url(forbidden, true).is_ok(), "{forbidden}");
        }
        assert!(check_url("https://example.com/hook", false).is_ok());
        assert!(check_url("http://93.184.216.34/", false).is_ok());
        for wrong in ["ftp://example.com/", "example.com", "http://"] {
            assert!(check_url(wrong, true).is_err(), "{wrong}");
        }
    }
}
