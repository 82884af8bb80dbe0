//! `${NAME}` and `${file:PATH}` in any string.

use std::path::{Path, PathBuf};

/// The largest file taken into a string.
const MAX_FILE: u64 = 64 * 1024;

/// `${NAME}` from the process's environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Replaces every `${…}`; the error names what is missing and what to do.
pub fn substitute(
    text: &str,
    directory: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let end = inner.find('}').ok_or_else(|| "\"${\" without its \"}\"".to_owned())?;
        let name = &inner[..end];
        match name.strip_prefix("file:") {
            Some(path) => out.push_str(&read_file(path, directory, environment)?),
            None => out.push_str(&environment(name).ok_or_else(|| {
                format!("the environment variable {name} is not set; set it, or write the value here")
            })?),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Relative paths: systemd's credentials directory first, then beside the configuration file.
fn read_file(path: &str, directory: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let credentials = environment("CREDENTIALS_DIRECTORY").map(|base| PathBuf::from(base).join(path));
    let path = credentials.filter(|path| path.is_file()).unwrap_or_else(|| directory.join(path));
    let fail = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if std::fs::metadata(&path).map_err(fail)?.len() > MAX_FILE {
        return Err(format!("{} is larger than {MAX_FILE} bytes", path.display()));
    }
    let content = std::fs::read_to_string(&path).map_err(fail)?;
    Ok(content.trim_end_matches(['\n', '\r']).to_owned())
}
