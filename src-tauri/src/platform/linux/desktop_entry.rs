//! Desktop entries (`.desktop` files of the freedesktop.org specification).

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The program to start again: an AppImage's file, of which the running program is a mounted part that has another path each time.
pub(super) fn current_program() -> io::Result<PathBuf> {
    let image = std::env::var_os("APPIMAGE").map(PathBuf::from).filter(|path| path.is_absolute() && path.exists());
    image.map_or_else(std::env::current_exe, Ok)
}

/// The value of a key in the main group of an entry.
pub(super) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let main = text.lines().skip_while(|line| line.trim() != "[Desktop Entry]").skip(1);
    let mut main = main.take_while(|line| !line.starts_with('['));
    main.find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('=')).map(str::trim)
}

/// The program that a value of `Exec` starts.
pub(super) fn program(exec: &str) -> Option<PathBuf> {
    let plain = |text: &str| PathBuf::from(text.replace("%%", "%"));
    // Escaped twice: as a string value, and as a quoted argument.
    let exec = exec.replace("\\\\", "\\");
    let Some(quoted) = exec.strip_prefix('"') else {
        return exec.split_whitespace().next().map(plain);
    };
    let (mut path, mut characters) = (String::new(), quoted.chars());
    loop {
        match characters.next()? {
            '"' => return Some(plain(&path)),
            '\\' => path.push(characters.next()?),
            other => path.push(other),
        }
    }
}

/// The text of an entry that starts this program with `arguments`.
pub(super) fn text(program: &Path, arguments: &str, more: &str) -> String {
    let exec = quoted(&program.display().to_string());
    format!(
        "[Desktop Entry]\nType=Application\nName=Postern\nComment=Share a service of this machine with the people you \
         name\nExec={exec} {arguments}\nIcon={}\nTerminal=false\n{more}",
        crate::APP_ID
    )
}

/// Writes a file unless it already has this content; returns whether it was written.
pub(super) fn write_if_changed(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(true)
}

/// A directory of the XDG base directory specification.
pub(super) fn directory(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home)))
}

/// Quotes a program's path as specified, and only where necessary: some readers take quotes for a part of the path.
fn quoted(program: &str) -> String {
    let percent = program.replace('%', "%%");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | '%' | ':' | ',' | '@');
    if percent.chars().all(plain) {
        return percent;
    }
    let mut text = String::from("\"");
    for c in percent.chars() {
        match c {
            // Escaped twice: as a string value, and as a quoted argument.
            '"' | '`' | '$' => text.extend(['\\', '\\', c]),
            '\\' => text.push_str("\\\\\\\\"),
            c => text.push(c),
        }
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_only_where_necessary() {
        assert_eq!(quoted("/usr/bin/postern-app"), "/usr/bin/postern-app");
        assert_eq!(quoted("/home/a b/postern"), "\"/home/a b/postern\"");
        assert_eq!(quoted("/o$x/50%"), "\"/o\\\\$x/50%%\"");
    }

    #[test]
    fn the_program_of_an_entry_is_read_as_it_was_written() {
        for path in ["/usr/bin/postern-app", "/home/a b/postern", "/o$x/50%", "/a\"b/c\\d/e`", "/ä/ü"] {
            let entry = text(Path::new(path), "%u", "Hidden=false\n[Desktop Action x]\nHidden=true\n");
            assert_eq!(program(value(&entry, "Exec").unwrap()), Some(path.into()), "{entry}");
            assert_eq!((value(&entry, "Hidden"), value(&entry, "Version")), (Some("false"), None));
        }
        assert_eq!(program("postern-app --hidden"), Some("postern-app".into()));
        assert_eq!((program(""), program("\"unfinished")), (None, None));
    }

    #[test]
    fn an_unchanged_file_is_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("applications/x.desktop");
        assert!(write_if_changed(&path, b"one").unwrap());
        assert!(!write_if_changed(&path, b"one").unwrap());
        assert!(write_if_changed(&path, b"two").unwrap());
        assert_eq!(std::fs::read(path).unwrap(), b"two");
    }
}
