//! People, voicemails and menus to call.
