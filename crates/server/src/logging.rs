//! Logs: to standard error, as text or JSON, as much as `OFFHOOK_LOG` says.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// A service: our own crates at `info`, those of others at `warn`.
const SERVICE: &str = "warn,offhook=info,agent=info,callee=info,control=info,gateway=info,speech=info,store=info";
/// A command that shows what happens itself.
const COMMAND: &str = "warn";

pub fn start(json: bool, is_a_service: bool) {
    let default = if is_a_service { SERVICE } else { COMMAND };
    let wanted = std::env::var("OFFHOOK_LOG").ok().map(EnvFilter::try_new);
    let (filter, mistake) = match wanted {
        Some(Ok(filter)) => (filter, None),
        Some(Err(mistake)) => (EnvFilter::new(default), Some(mistake)),
        None => (EnvFilter::new(default), None),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
    if let Some(mistake) = mistake {
        tracing::warn!(%mistake, "OFFHOOK_LOG is not understood; write for example info or warn,gateway=debug");
    }
}
