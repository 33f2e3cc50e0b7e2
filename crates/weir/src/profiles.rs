//! Servers by name, so that nobody types addresses and key files: a TOML file of the person who calls.
//!
//! ```toml
//! default = "staging"
//!
//! [servers.staging]
//! url = "https://weir.staging.example.com"
//! key_file = "/home/me/.config/weir/staging.key"
//! ```

use anyhow::{Context, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How a server is called.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: Option<String>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profiles {
    default: Option<String>,
    #[serde(default)]
    servers: BTreeMap<String, Profile>,
}

/// The file: `WEIR_PROFILES`, else `weir/profiles.toml` where a person's settings are.
fn path() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = variable("WEIR_PROFILES") {
        return Some(path.into());
    }
    let settings = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let settings = settings.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(settings.join("weir").join("profiles.toml"))
}

/// The server that is meant: by its address, by its name in the file, or the default of the file; nothing where there is none.
pub(crate) fn find(asked: Option<&str>) -> anyhow::Result<Option<Profile>> {
    if let Some(url) = asked.filter(|asked| asked.contains("://")) {
        return Ok(Some(Profile {
            url: Some(url.to_owned()),
            ..Profile::default()
        }));
    }
    let path = path();
    let text = match path.as_ref().map(std::fs::read_to_string) {
        Some(Ok(text)) => text,
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            let path = path.unwrap_or_default();
            return Err(error).with_context(|| format!("the profiles {}", path.display()));
        }
        _ => String::new(),
    };
    let path = path.unwrap_or_default();
    let mut profiles: Profiles =
        toml::from_str(&text).with_context(|| format!("the profiles {}", path.display()))?;
    let Some(name) = asked.map(str::to_owned).or(profiles.default.take()) else {
        return Ok(None);
    };
    match profiles.servers.remove(&name) {
        Some(profile) => Ok(Some(profile)),
        None => {
            let known: Vec<String> = profiles.servers.into_keys().collect();
            let known = if known.is_empty() {
                "it names none".to_owned()
            } else {
                format!("it names {}", known.join(", "))
            };
            bail!("there is no server {name} in {}: {known}", path.display())
        }
    }
}
