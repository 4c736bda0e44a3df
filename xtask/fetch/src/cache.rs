//! The cache: one folder a tool, made once.
//!
//! Every tool has a recipe: the text that decides what is installed. It is written into the
//! tool's folder when the installation is complete, so that one that was broken off or has
//! another recipe is made anew, and a finished one costs nothing.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::FetchError;

/// The folder for what is fetched: shared by all checkouts, kept between runs.
///
/// # Errors
///
/// [`FetchError::NoCache`] where no variable names a folder.
pub fn cache() -> Result<PathBuf, FetchError> {
    cache_from(|name| env::var_os(name)).ok_or(FetchError::NoCache)
}

/// Returns the folder `name` of the cache with what `recipe` describes, installing it if needed.
///
/// Two processes at once wait for each other: the second finds what the first has installed.
///
/// # Errors
///
/// Those of `install`, and [`FetchError::Cache`] when the folder cannot be used.
pub fn ensure<E: From<FetchError>>(
    name: &str,
    recipe: &str,
    install: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    ensure_in(&cache()?, name, recipe, install)
}

fn ensure_in<E: From<FetchError>>(
    cache: &Path,
    name: &str,
    recipe: &str,
    install: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    fs::create_dir_all(cache).map_err(unusable(cache))?;
    // Two runs at once must not install into one folder; the lock goes with the file.
    let lock_path = cache.join(format!(".{name}.lock"));
    let lock = File::create(&lock_path).map_err(unusable(&lock_path))?;
    lock.lock().map_err(unusable(&lock_path))?;

    let folder = cache.join(name);
    let done = folder.join(".installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == recipe) {
        return Ok(folder);
    }
    eprintln!("fetching {name} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(unusable(&folder))?;
    }
    install(&folder)?;
    fs::write(&done, recipe).map_err(unusable(&done))?;
    Ok(folder)
}

pub(crate) fn unusable(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    |source| FetchError::Cache { path, source }
}

/// The XDG rule: an unset or empty variable counts as none.
fn cache_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name| {
        variable(name)
            .filter(|it| !it.is_empty())
            .map(PathBuf::from)
    };
    folder("SESSIONSTORE_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|it| it.join("sessionstore")))
        .or_else(|| folder("HOME").map(|it| it.join(".cache/sessionstore")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(cache: &Path, recipe: &str) -> bool {
        let mut installed = false;
        ensure_in(cache, "tool", recipe, |folder| {
            installed = true;
            fs::create_dir(folder).map_err(unusable(folder))
        })
        .unwrap();
        installed
    }

    #[test]
    fn a_tool_is_installed_once() {
        let cache = tempfile::tempdir().unwrap();
        assert!(install(cache.path(), "1.0"));
        assert!(!install(cache.path(), "1.0"));
    }

    #[test]
    fn another_recipe_installs_anew() {
        let cache = tempfile::tempdir().unwrap();
        assert!(install(cache.path(), "1.0"));
        fs::write(cache.path().join("tool/old"), "").unwrap();
        assert!(install(cache.path(), "1.1"));
        assert!(!cache.path().join("tool/old").exists());
    }

    #[test]
    fn a_broken_installation_is_not_taken_for_a_tool() {
        let cache = tempfile::tempdir().unwrap();
        let broken = ensure_in(cache.path(), "tool", "1.0", |folder| {
            fs::create_dir(folder).map_err(unusable(folder))?;
            Err(FetchError::TooOld { what: "a network" })
        });
        assert!(broken.is_err());
        assert!(install(cache.path(), "1.0"));
    }

    fn cache_with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        cache_from(|name| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(found.1))
        })
    }

    #[test]
    fn the_cache_follows_the_most_specific_variable() {
        let home = ("HOME", "/h");
        let xdg = ("XDG_CACHE_HOME", "/x");
        let own = ("SESSIONSTORE_CACHE", "/own");
        assert_eq!(cache_with(&[home, xdg, own]), Some("/own".into()));
        assert_eq!(cache_with(&[home, xdg]), Some("/x/sessionstore".into()));
        assert_eq!(cache_with(&[home]), Some("/h/.cache/sessionstore".into()));
        assert_eq!(cache_with(&[]), None);
    }

    #[test]
    fn an_empty_variable_is_none() {
        let variables = [("SESSIONSTORE_CACHE", ""), ("HOME", "/h")];
        assert_eq!(
            cache_with(&variables),
            Some("/h/.cache/sessionstore".into())
        );
    }
}
