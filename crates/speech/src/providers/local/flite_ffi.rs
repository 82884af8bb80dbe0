//! The dozen functions of flite 2 that are used, found in its shared libraries at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libloading::Library;

use super::missing;
use crate::Error;

/// Everything of flite; one a process.
pub(super) struct FliteLibrary {
    /// flite keeps global state: one caller at a time.
    inner: Mutex<Inner>,
}

struct Inner {
    functions: Functions,
    voices: Vec<(&'static str, *mut c_void)>,
    lexicon: *mut c_void,
    // After everything that points into it; never unloaded, since it lives in a static.
    _libraries: Vec<Library>,
}

// SAFETY: the pointers are to flite's own heap objects, used only under the mutex.
unsafe impl Send for Inner {}

struct Functions {
    text_to_wave: unsafe extern "C" fn(*const c_char, *mut c_void) -> *mut Wave,
    delete_wave: unsafe extern "C" fn(*mut Wave),
    lookup: unsafe extern "C" fn(*const c_void, *const c_char, *const c_char, *const c_void) -> *mut c_void,
    car: unsafe extern "C" fn(*const c_void) -> *const c_void,
    cdr: unsafe extern "C" fn(*const c_void) -> *const c_void,
    string: unsafe extern "C" fn(*const c_void) -> *const c_char,
    delete_value: unsafe extern "C" fn(*mut c_void),
}

/// `cst_wave` of flite's `cst_wave.h`.
#[repr(C)]
struct Wave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *mut i16,
}

/// Mono PCM as flite made it.
pub(super) struct RawSpeech {
    pub rate: u32,
    pub samples: Vec<i16>,
}

const PACKAGE: &str = "libflite1";
/// Phones of one word; anything longer is not a word.
const MAX_PHONES: usize = 64;

/// The library, loaded on first use.
pub(super) fn flite() -> Result<&'static FliteLibrary, Error> {
    static FLITE: OnceLock<Option<FliteLibrary>> = OnceLock::new();
    FLITE.get_or_init(|| FliteLibrary::load().ok()).as_ref().ok_or_else(|| missing("libflite.so.1", PACKAGE))
}

impl FliteLibrary {
    fn load() -> Result<Self, libloading::Error> {
        // SAFETY: loading runs the library's constructors; Debian's flite has none with preconditions. The
        // signatures are those of flite 2's headers, which its soname 1 keeps.
        unsafe {
            let core = Library::new("libflite.so.1")?;
            let lexicon_library = Library::new("libflite_cmulex.so.1")?;
            let init: unsafe extern "C" fn() -> c_int = *core.get(b"flite_init\0")?;
            init();
            let functions = Functions {
                text_to_wave: *core.get(b"flite_text_to_wave\0")?,
                delete_wave: *core.get(b"delete_wave\0")?,
                lookup: *core.get(b"lex_lookup\0")?,
                car: *core.get(b"val_car\0")?,
                cdr: *core.get(b"val_cdr\0")?,
                string: *core.get(b"val_string\0")?,
                delete_value: *core.get(b"delete_val\0")?,
            };
            let lexicon_init: unsafe extern "C" fn() -> *mut c_void = *lexicon_library.get(b"cmu_lex_init\0")?;
            let lexicon = lexicon_init();
            let inner = Inner { functions, voices: Vec::new(), lexicon, _libraries: vec![core, lexicon_library] };
            Ok(Self { inner: Mutex::new(inner) })
        }
    }

    /// Speaks one sentence with a voice of [`super::VOICES`].
    pub fn synthesise(&self, text: &str, voice: &'static str) -> Result<RawSpeech, Error> {
        let text = CString::new(text.replace('\0', " ")).expect("no NUL is left");
        let mut inner = self.lock();
        let voice = inner.voice(voice)?;
        // SAFETY: the text is NUL-terminated, the voice registered, and the mutex held.
        let wave = unsafe { (inner.functions.text_to_wave)(text.as_ptr(), voice) };
        if wave.is_null() {
            return Err(Error::Provider { provider: "flite", message: "no sound was made".to_owned() });
        }
        // SAFETY: flite returned a wave of `num_samples` samples, which is ours to delete.
        let speech = unsafe {
            let length = usize::try_from((*wave).num_samples).unwrap_or(0);
            let samples = match (*wave).samples.is_null() {
                true => Vec::new(),
                false => std::slice::from_raw_parts((*wave).samples, length).to_vec(),
            };
            RawSpeech { rate: u32::try_from((*wave).sample_rate).unwrap_or(16_000).max(8000), samples }
        };
        // SAFETY: as above; not used after this.
        unsafe { (inner.functions.delete_wave)(wave) };
        Ok(speech)
    }

    /// The phones of a lower-case word by flite's lexicon or its letter-to-sound rules, as flite writes them (`ax`,
    /// `ey1`).
    pub fn phones(&self, word: &str) -> Vec<String> {
        let Ok(word) = CString::new(word) else {
            return Vec::new();
        };
        let inner = self.lock();
        let functions = &inner.functions;
        let mut phones = Vec::new();
        // SAFETY: the list is walked with flite's own accessors until its nil, and deleted once.
        unsafe {
            let list = (functions.lookup)(inner.lexicon, word.as_ptr(), std::ptr::null(), std::ptr::null());
            let mut rest: *const c_void = list;
            while !rest.is_null() && phones.len() < MAX_PHONES {
                let phone = (functions.string)((functions.car)(rest));
                if !phone.is_null() {
                    phones.push(CStr::from_ptr(phone).to_string_lossy().into_owned());
                }
                rest = (functions.cdr)(rest);
            }
            if !list.is_null() {
                (functions.delete_value)(list);
            }
        }
        phones
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A registered voice; its library is loaded on first use.
    fn voice(&mut self, name: &'static str) -> Result<*mut c_void, Error> {
        if let Some((_, voice)) = self.voices.iter().find(|(known, _)| *known == name) {
            return Ok(*voice);
        }
        let file = format!("libflite_cmu_us_{name}.so.1");
        let symbol = format!("register_cmu_us_{name}\0");
        // SAFETY: as in `load`; a voice registers itself with flite under the mutex we hold.
        let (voice, library) = unsafe {
            let library = Library::new(&file).map_err(|_| missing(&file, PACKAGE))?;
            let register: unsafe extern "C" fn(*const c_char) -> *mut c_void =
                *library.get(symbol.as_bytes()).map_err(|_| missing(&file, PACKAGE))?;
            (register(std::ptr::null()), library)
        };
        if voice.is_null() {
            return Err(missing(&file, PACKAGE));
        }
        self._libraries.push(library);
        self.voices.push((name, voice));
        Ok(voice)
    }
}
