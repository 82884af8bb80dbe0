//! This process, as Linux knows it.

/// What it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    /// Memory that is really there, in bytes.
    pub(crate) resident: Option<u64>,
    /// Open files and sockets.
    pub(crate) files: Option<usize>,
}

impl Process {
    /// Now. What the system does not tell is `None`.
    pub(crate) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self { resident: resident(&status), files: std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count) }
    }
}

/// `VmRSS:      5120 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_where_the_system_tells_it() {
        assert_eq!(resident("Name:\toffhook\nVmRSS:\t    5120 kB\nThreads:\t4\n"), Some(5_242_880));
        assert_eq!(resident("Name:\toffhook\n"), None);
        assert_eq!(resident("VmRSS:\tmuch\n"), None);
    }
}
