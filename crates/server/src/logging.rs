//! Logs: to standard error, as text or JSON, as much as `OFFHOOK_LOG` says (`info` by default).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

pub fn start(json: bool) {
    let filter = EnvFilter::try_from_env("OFFHOOK_LOG").unwrap_or_else(|_| EnvFilter::new("warn,offhook=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        builder.json().init();
    } else {
        builder.with_target(false).init();
    }
}
