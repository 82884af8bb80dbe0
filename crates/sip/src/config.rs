//! What a user agent is told once: who it is, its timers, its limits, and whether it is a registrar.

use std::time::Duration;

/// What a user agent is, apart from the calls it makes.
#[derive(Debug, Clone)]
pub struct Config {
    /// `User-Agent` in requests, `Server` in responses.
    pub user_agent: String,
    /// RFC 3261 §17 timer values.
    pub timers: Timers,
    /// How long a hop may take to say anything at all, 100 included, before the next one is tried. The last one has
    /// until Timer B or F.
    pub first_reply: Duration,
    /// When set, REGISTER and INVITE are challenged and REGISTER is accepted: the far end of a trunk.
    pub registrar: Option<Registrar>,
    /// Sessions at a time, ours and theirs; beyond it a new INVITE is refused with 503.
    pub max_sessions: usize,
    /// Session interval to ask for and to hold others to (RFC 4028); `None` leaves it to the peer, whose timers
    /// are kept all the same.
    pub session_expires: Option<Duration>,
    /// Shortest session interval accepted, at least 90 s; a shorter one is refused with 422.
    pub min_session_expires: Duration,
    /// Who is to refresh where we may choose; `None` leaves it to the peer.
    pub session_refresher: Option<SessionRefresher>,
    /// Whether we announce 100rel, and send our own provisional responses reliably to who knows it (RFC 3262). Who
    /// requires it gets it in any case.
    pub reliable_provisionals: bool,
}

/// Default for [`Config::max_sessions`].
const MAX_SESSIONS: usize = 4096;

/// Default for [`Config::first_reply`]: four tries over UDP.
const FIRST_REPLY: Duration = Duration::from_secs(4);

impl Default for Config {
    fn default() -> Self {
        Self {
            user_agent: "offhook".to_owned(),
            timers: Timers::default(),
            first_reply: FIRST_REPLY,
            registrar: None,
            max_sessions: MAX_SESSIONS,
            session_expires: None,
            min_session_expires: crate::dialog::SHORTEST_SESSION,
            session_refresher: None,
            reliable_provisionals: false,
        }
    }
}

impl Config {
    /// Option tags for Supported.
    pub(crate) fn supported(&self) -> &'static str {
        if self.reliable_provisionals { "timer, 100rel" } else { "timer" }
    }
}

/// Which side keeps a session with a timer alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRefresher {
    /// This user agent.
    We,
    /// The other one.
    Peer,
}

/// RFC 3261 table 4.
#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval, 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network, 5 s.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// A realm and its users, who prove by digest who they are (RFC 7616): of a registrar, for a simulated trunk (RFC 3261
/// §10.3), or of a trunk whose calls are to be [`Guarded`](crate::Input::Guarded).
#[derive(Clone)]
pub struct Registrar {
    /// Digest realm.
    pub realm: String,
    /// User name → password; never printed.
    pub users: Vec<(String, String)>,
    /// Algorithms offered, best first.
    pub algorithms: Vec<DigestAlgorithm>,
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let users: Vec<_> = self.users.iter().map(|(user, _)| user).collect();
        f.debug_struct("Registrar").field("realm", &self.realm).field("users", &users).finish_non_exhaustive()
    }
}

/// Digest algorithms (RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// `MD5`
    Md5,
    /// `SHA-256`
    Sha256,
    /// `SHA-512-256`
    Sha512_256,
}

/// Who we are to a challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password; never printed.
    pub password: String,
    /// The only realms whose challenges are answered; none for whatever comes from the trunk. Where it passes on the
    /// challenges of others, they could otherwise have our proof for a realm of their own.
    pub realms: Vec<String>,
}

impl Credentials {
    /// For any realm of the trunk.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), realms: Vec::new() }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.username)
    }
}
