//! The offhook binary: reads the command line, runs the command, turns its end into an exit code.

mod client;
mod commands;
mod config;
mod live;
mod logging;
mod notify;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let command_line = commands::CommandLine::parse();
    logging::start(command_line.log_json(), command_line.is_a_service());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let exit = runtime.block_on(commands::run(command_line));
    // Whatever is still blocked in a library must not hold up the end of the program.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    exit.into()
}
