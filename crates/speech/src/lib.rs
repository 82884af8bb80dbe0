//! Speech recognition, language models and speech synthesis behind traits, and their providers.
