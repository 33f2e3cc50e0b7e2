//! Which engines there are: found once, when the process starts.

use super::engine::Found;
use super::onnxruntime;
use std::path::{Path, PathBuf};
use types::OnnxEngine;

/// The engines of this process.
#[derive(Debug)]
pub struct Engines {
    onnxruntime: Result<Library, String>,
}

/// A library of ONNX Runtime.
#[derive(Debug)]
struct Library {
    path: PathBuf,
    version: String,
    /// How it was found.
    by: &'static str,
}

/// The library beside a Python package or in a folder: its name goes on with a version, or does not.
const LIBRARY: &str = if cfg!(target_os = "macos") {
    "libonnxruntime."
} else {
    "libonnxruntime.so"
};

impl Engines {
    /// Looks for ONNX Runtime: where it is named (the library, or a folder that has it), else where it usually is. One that is
    /// named must be one.
    ///
    /// # Errors
    /// Why what is named cannot be used.
    pub fn find(named: Option<&Path>) -> Result<Self, String> {
        if let Some(named) = named {
            let library = library_in(named).ok_or_else(|| {
                format!(
                    "{} is not a library of ONNX Runtime, and contains none",
                    named.display()
                )
            })?;
            let version = onnxruntime::load(&library)?;
            return Ok(Self {
                onnxruntime: Ok(Library {
                    path: library,
                    version,
                    by: "named",
                }),
            });
        }
        let mut why = "no library was found: `pip install onnxruntime` brings one, and --onnxruntime PATH names it".to_owned();
        for (library, by) in usual_places() {
            match onnxruntime::load(&library) {
                Ok(version) => {
                    return Ok(Self {
                        onnxruntime: Ok(Library {
                            path: library,
                            version,
                            by,
                        }),
                    });
                }
                Err(error) => why = error,
            }
        }
        Ok(Self {
            onnxruntime: Err(why),
        })
    }

    /// The library that was found.
    pub fn onnxruntime(&self) -> Option<&Path> {
        self.onnxruntime
            .as_ref()
            .ok()
            .map(|library| library.path.as_path())
    }

    /// Whether any of them runs ONNX models.
    pub fn run_onnx(&self) -> bool {
        cfg!(feature = "tract") || self.onnxruntime.is_ok()
    }

    /// Which engines there are, and why: a line each.
    pub fn describe(&self) -> Vec<String> {
        let onnxruntime = match &self.onnxruntime {
            Ok(library) => {
                format!(
                    "ONNX Runtime {} is used ({}: {})",
                    library.version,
                    library.by,
                    library.path.display()
                )
            }
            Err(why) => format!("ONNX Runtime is not used: {why}"),
        };
        let tract = match (cfg!(feature = "tract"), &self.onnxruntime) {
            (true, Ok(_)) => "tract is built in, for versions that ask for it",
            (true, Err(_)) => "tract is built in, and runs ONNX models",
            (false, _) => "tract is not built in (the cargo feature `tract` of the build)",
        };
        vec![onnxruntime, tract.into()]
    }

    pub(crate) fn choose(&self, wanted: OnnxEngine) -> Result<Found, String> {
        match (wanted, &self.onnxruntime) {
            (OnnxEngine::Auto | OnnxEngine::Onnxruntime, Ok(_)) => Ok(Found::Onnxruntime),
            #[cfg(feature = "tract")]
            (OnnxEngine::Auto | OnnxEngine::Tract, _) => Ok(Found::Tract),
            #[cfg(not(feature = "tract"))]
            (OnnxEngine::Tract, _) => {
                Err("tract is not built into this server (cargo feature `tract`)".into())
            }
            (_, Err(why)) => Err(format!("the server has no ONNX Runtime: {why}")),
        }
    }
}

impl Found {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Onnxruntime => "ONNX Runtime",
            #[cfg(feature = "tract")]
            Self::Tract => "tract",
        }
    }

    pub(crate) fn describe(self, engines: &Engines) -> String {
        match &engines.onnxruntime {
            Ok(library) if self.name() == "ONNX Runtime" => {
                format!("ONNX Runtime {}", library.version)
            }
            _ => self.name().into(),
        }
    }
}

/// A library, or the one in a folder: of several the one with the longest name, which says its version.
fn library_in(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let found = |folder: &Path| {
        let entries = std::fs::read_dir(folder).ok()?;
        let names = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let is_library = |path: &PathBuf| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(LIBRARY))
        };
        names.filter(is_library).max()
    };
    [
        path.to_owned(),
        path.join("lib"),
        path.join("capi"),
        path.join("onnxruntime/capi"),
    ]
    .iter()
    .find_map(|folder| found(folder))
}

/// Libraries where people have them: what `ORT_DYLIB_PATH` names, the Python packages of the present environment, the folders
/// of the system.
fn usual_places() -> Vec<(PathBuf, &'static str)> {
    let mut places = Vec::new();
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH") {
        places.extend(
            library_in(Path::new(&named)).map(|library| (library, "named by ORT_DYLIB_PATH")),
        );
    }
    let mut prefixes = Vec::new();
    prefixes.extend(std::env::var_os("VIRTUAL_ENV").map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    for folder in std::env::split_paths(&path) {
        if folder.is_absolute() && folder.join("python3").exists() {
            prefixes.extend(folder.parent().map(Path::to_owned));
        }
    }
    prefixes.extend(std::env::var_os("HOME").map(|home| Path::new(&home).join(".local")));
    for prefix in prefixes {
        let Ok(versions) = std::fs::read_dir(prefix.join("lib")) else {
            continue;
        };
        let versions = versions.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        for version in versions.filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        }) {
            for packages in ["site-packages", "dist-packages"] {
                let package = version.join(packages).join("onnxruntime/capi");
                places.extend(library_in(&package).map(|library| (library, "of a Python package")));
            }
        }
    }
    for folder in [
        "/usr/local/lib",
        "/usr/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/lib",
    ] {
        places.extend(library_in(Path::new(folder)).map(|library| (library, "of the system")));
    }
    places
}
