//! C libraries loaded when a benchmark runs, so that nothing needs them to be built.

use std::ffi::{CString, c_void};
use std::ptr::NonNull;

/// A library that stays loaded until the process ends.
pub struct Library {
    handle: NonNull<c_void>,
    package: &'static str,
}

impl Library {
    /// Opens the library of a Debian package; the error names the package.
    pub fn open(file: &str, package: &'static str) -> Result<Self, String> {
        let file = CString::new(file).map_err(|_| "a file's name without NUL")?;
        // SAFETY: the name ends with NUL and lives through the call.
        let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW) };
        let handle = NonNull::new(handle).ok_or_else(|| format!("apt-get install {package}"))?;
        Ok(Self { handle, package })
    }

    /// The address of one of its functions.
    pub fn symbol(&self, name: &str) -> Result<NonNull<c_void>, String> {
        let c_name = CString::new(name).map_err(|_| "a symbol's name without NUL")?;
        // SAFETY: the library is open, the name ends with NUL and lives through the call.
        let symbol = unsafe { libc::dlsym(self.handle.as_ptr(), c_name.as_ptr()) };
        NonNull::new(symbol).ok_or_else(|| format!("{} has no {name}", self.package))
    }
}
