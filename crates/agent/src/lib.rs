//! Holds a conversation on a line: turn-taking, navigation, tools.
