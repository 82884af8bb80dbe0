//! Runs sip and media on real sockets: one task a call, a few media threads.
