//! `offhook serve`: the daemon.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Exit, configuration};
use crate::config::{self, Config};
use crate::{notify, wiring};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long)]
    config: PathBuf,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let Some(config) = configuration(&arguments.config) else { return Ok(Exit::WrongUse) };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    serve(&config, &arguments).await?;
    Ok(Exit::Success)
}

async fn serve(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let api = TcpListener::bind(config.api_listen)
        .await
        .with_context(|| format!("cannot listen for the API on {}; change [api] listen", config.api_listen))?;
    let parts = wiring::start(config).await?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let router = parts.control.router();
    let stopped = stop.clone().cancelled_owned();
    tracing::info!(api = %api.local_addr()?, sip = ?parts.gateway.local_addresses(), "listening");
    tasks.spawn(async move { axum::serve(api, router).with_graceful_shutdown(stopped).await });
    let control = parts.control.clone();
    tasks.spawn(async move { control.serve_inbound().await });
    let control = parts.control.clone();
    tasks.spawn(async move { control.tell_registrations().await });
    let control = parts.control.clone();
    tasks.spawn(async move { control.place_scheduled_calls().await });
    let control = parts.control.clone();
    tasks.spawn(async move { control.deliver_webhooks().await });
    if let Some(retention) = config.record_retention {
        let control = parts.control.clone();
        tasks.spawn(async move { control.keep_recordings_for(retention).await });
    }
    notify::tell("READY=1");
    let watchdog = stop.clone();
    tasks.spawn(async move { watchdog.run_until_cancelled(feed_watchdog()).await });

    loop {
        tokio::select! { biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => read_again(arguments, &parts.gateway),
        }
    }
    notify::tell("STOPPING=1");
    tracing::info!("draining");
    tokio::select! { biased;
        // A second signal does not wait for calls.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = async {
            let grace = config.limits.drain;
            parts.gateway.drain().await;
            // Calls of built-in routes are the gateway's alone.
            let _ = tokio::join!(parts.control.drain(grace), tokio::time::timeout(grace, parts.gateway.run_dry()));
        } => {}
    }
    parts.gateway.stop().await;
    stop.cancel();
    tasks.close();
    // Followers of events hold their connections open; they are cut.
    let _ = tokio::time::timeout(Duration::from_secs(2), tasks.wait()).await;
    Ok(())
}

/// SIGHUP takes fresh certificates over and tells what the file would mean; the rest of it needs a restart.
fn read_again(arguments: &Arguments, gateway: &gateway::Gateway) {
    match config::load(&arguments.config) {
        Ok(config) => {
            tracing::info!("the configuration has no mistakes; restart to take it over");
            match gateway.reload_tls(&config.tls) {
                Ok(()) => tracing::info!("new TLS connections use the certificates as they are now"),
                Err(error) => tracing::error!(%error, "the certificates stay as they were"),
            }
        }
        Err(problems) => {
            for problem in problems {
                tracing::error!("configuration: {problem}");
            }
        }
    }
}

async fn feed_watchdog() {
    let Some(every) = notify::watchdog_interval() else { return };
    let mut interval = tokio::time::interval(every);
    loop {
        interval.tick().await;
        notify::tell("WATCHDOG=1");
    }
}
