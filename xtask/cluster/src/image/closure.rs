//! Which libraries a program needs.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use sessionstore_fetch::process::not_run;

use crate::{ClusterError, part};

/// The libraries that `binary` is linked to, with the loader; none for one that is linked
/// statically.
pub(super) fn libraries(binary: &Path) -> Result<Vec<PathBuf>, ClusterError> {
    let mut ldd = Command::new("ldd");
    ldd.arg(binary).env("LC_ALL", "C");
    let output = ldd.output().map_err(|error| not_run(&ldd, error))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !output.status.success() && !said.contains("not a dynamic executable") {
        return Err(ClusterError::Refused {
            line: format!("ldd {}", binary.display()),
            said: said.trim().to_owned(),
        });
    }
    read(&said).map_err(|library| ClusterError::Unfit {
        why: format!("{} needs {library}, which is not here", binary.display()),
    })
}

/// Reads what ldd says; the error is a library that is missing.
fn read(said: &str) -> Result<Vec<PathBuf>, String> {
    let mut libraries = Vec::new();
    for line in said.lines().map(str::trim) {
        if let Some((library, "not found")) = line.split_once(" => ") {
            return Err(library.to_owned());
        }
        let found = line.split_once(" => ").map_or(line, |(_, path)| path);
        let path = found.split(" (0x").next().unwrap_or(found);
        // One without a path is of the kernel.
        if path.starts_with('/') && found.contains(" (0x") {
            libraries.push(PathBuf::from(path));
        }
    }
    Ok(libraries)
}

/// The file of a program that the system has.
pub(super) fn on_the_path(program: &str) -> Result<PathBuf, ClusterError> {
    env::split_paths(OsStr::new(&part::search_path()))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| ClusterError::Unfit {
            why: format!("{program} is not installed"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_found_where_they_are() {
        let said = "\
	linux-vdso.so.1 (0x00007ffd)
	libgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f00)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f01)
	/lib64/ld-linux-x86-64.so.2 (0x00007f02)
";
        let expected = [
            "/lib/x86_64-linux-gnu/libgcc_s.so.1",
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(read(said).unwrap(), expected.map(PathBuf::from));
    }

    #[test]
    fn a_static_program_needs_none() {
        assert!(read("\tnot a dynamic executable\n").unwrap().is_empty());
        assert!(read("\tstatically linked\n").unwrap().is_empty());
    }

    #[test]
    fn a_missing_library_is_named() {
        let said = "\tlibcurl.so.4 => not found\n";
        assert_eq!(read(said).unwrap_err(), "libcurl.so.4");
    }
}
