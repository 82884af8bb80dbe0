//! What should happen: API, calls, events.
