//! A proxy before the server that has asked users who they are, and says so in headers. Only those of addresses that were
//! named are believed.

use super::Caller;
use axum::http::{HeaderMap, HeaderName};
use std::net::{IpAddr, SocketAddr};
use types::{Role, Scope};

/// The longest name of a user that is kept, in characters.
const MAX_USER: usize = 200;

/// Which proxy is believed, and what its headers mean.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// Its addresses. None: no headers are believed.
    pub trusted: Vec<IpAddr>,
    /// The header with the name of the user.
    pub user_header: Option<HeaderName>,
    /// The header with his groups, separated by commas.
    pub groups_header: Option<HeaderName>,
    /// The role of each group. Who is in several has the greatest; who is in none is refused.
    pub roles: Vec<(String, Role)>,
}

/// Who a trusted proxy says that calls.
pub(super) fn caller(headers: &HeaderMap, address: IpAddr, proxy: &Proxy) -> Option<Caller> {
    if !is_trusted(address, proxy) {
        return None;
    }
    let only = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value.as_bytes()).ok()
    };
    let user = only(proxy.user_header.as_ref()?)?.trim();
    let groups = proxy
        .groups_header
        .as_ref()
        .and_then(only)
        .unwrap_or_default();
    let groups = groups.split(',').map(str::trim);
    let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    let roles = proxy.roles.iter();
    let role = roles.filter(|(group, _)| group == "*" || groups.contains(&group.as_str()));
    let role = role.map(|(_, role)| *role).max()?;
    (!user.is_empty()).then(|| Caller {
        key: None,
        user: Some(user.chars().take(MAX_USER).collect()),
        role: Some(role),
        models: Scope::default(),
        address: None,
        reason: None,
        _place: None,
    })
}

fn is_trusted(address: IpAddr, proxy: &Proxy) -> bool {
    let address = address.to_canonical();
    proxy
        .trusted
        .iter()
        .any(|trusted| trusted.to_canonical() == address)
}

/// The address of who calls: as a trusted proxy says, which adds it at the end of what it was told.
pub(super) fn address(headers: &HeaderMap, address: IpAddr, proxy: &Proxy) -> IpAddr {
    if !is_trusted(address, proxy) {
        return address;
    }
    let said = headers.get_all("x-forwarded-for").iter().next_back();
    let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
    let mut named = said
        .rsplit(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let last = named.next().and_then(|last| {
        let alone = last.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        alone.or_else(|| Some(last.parse::<SocketAddr>().ok()?.ip()))
    });
    last.unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_believed_of_the_proxy_alone() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let trusted = Proxy {
            trusted: vec![proxy],
            user_header: Some("x-forwarded-user".parse().unwrap()),
            groups_header: Some("x-forwarded-groups".parse().unwrap()),
            roles: vec![
                ("sre".into(), Role::Operator),
                ("data".into(), Role::Analyst),
            ],
        };
        let headers = |user: &str, groups: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-user", user.parse().unwrap());
            headers.insert("x-forwarded-groups", groups.parse().unwrap());
            headers.insert("x-forwarded-for", "6.6.6.6, 192.0.2.7".parse().unwrap());
            headers
        };
        let role = |headers: &HeaderMap, address| {
            caller(headers, address, &trusted).and_then(|found| found.role)
        };
        let both = headers("ann", "data, sre");
        assert_eq!(role(&both, proxy), Some(Role::Operator));
        assert_eq!(role(&both, "10.0.0.2".parse().unwrap()), None);
        assert_eq!(role(&headers("ann", "sales"), proxy), None);
        assert_eq!(role(&headers("", "sre"), proxy), None);
        let mut twice = headers("ann", "sre");
        twice.append("x-forwarded-user", "root".parse().unwrap());
        assert_eq!(role(&twice, proxy), None);
        assert_eq!(address(&both, proxy, &trusted).to_string(), "192.0.2.7");
        for (said, wanted) in [
            ("9.9.9.9, 1.2.3.4,", "1.2.3.4"),
            ("[2001:db8::1]:99", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("1.2.3.4:99", "1.2.3.4"),
            ("unknown", "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            assert_eq!(
                address(&headers, proxy, &trusted).to_string(),
                wanted,
                "{said}"
            );
        }
        let direct = "192.0.2.9".parse().unwrap();
        assert_eq!(address(&both, direct, &trusted), direct);
    }
}
