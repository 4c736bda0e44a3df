//! Where things are: the checkout, and the cache of what is fetched for it.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The folder for what is fetched: shared by all checkouts, kept between runs.
pub(crate) fn cache() -> anyhow::Result<PathBuf> {
    cache_from(|name| env::var_os(name))
        .context("no folder for fetched tools: set SESSIONSTORE_CACHE or HOME")
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
