//! The functions of PocketSphinx 5prealpha (soname 3) that are used, found in its shared libraries at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::sync::OnceLock;

use libloading::Library;

use super::missing;
use crate::Error;

/// Names of the two searches: the one that listens along, and the thorough one for an utterance that is over.
const ALONG: &CStr = c"along";
const WHOLE: &CStr = c"whole";

const PACKAGES: &str = "libpocketsphinx3 libsphinxbase3 pocketsphinx-en-us";

/// The functions; one set a process.
pub(super) struct Sphinx {
    args: unsafe extern "C" fn() -> *const c_void,
    parse: unsafe extern "C" fn(*mut c_void, *const c_void, c_int, *const *const c_char, c_int) -> *mut c_void,
    free_config: unsafe extern "C" fn(*mut c_void) -> c_int,
    init: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void) -> c_int,
    config: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    set_option: unsafe extern "C" fn(*mut c_void, *const c_char, c_long),
    current_search: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    language_model: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void,
    add_search: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void) -> c_int,
    choose_search: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int,
    start_utterance: unsafe extern "C" fn(*mut c_void) -> c_int,
    process: unsafe extern "C" fn(*mut c_void, *const i16, usize, c_int, c_int) -> c_int,
    end_utterance: unsafe extern "C" fn(*mut c_void) -> c_int,
    hypothesis: unsafe extern "C" fn(*mut c_void, *mut i32) -> *const c_char,
    posterior: unsafe extern "C" fn(*mut c_void) -> i32,
    log_math: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    exp: unsafe extern "C" fn(*mut c_void, c_int) -> f64,
    _libraries: [Library; 2],
}

/// The library, loaded on first use.
pub(super) fn sphinx() -> Result<&'static Sphinx, Error> {
    static SPHINX: OnceLock<Option<Sphinx>> = OnceLock::new();
    SPHINX.get_or_init(|| Sphinx::load().ok()).as_ref().ok_or_else(|| missing("libpocketsphinx.so.3", PACKAGES))
}

/// A `ps_decoder_t` of our own.
pub(super) struct Decoder {
    sphinx: &'static Sphinx,
    decoder: *mut c_void,
    in_utterance: bool,
}

// SAFETY: a decoder has no thread affinity, and `&mut self` keeps its callers one at a time. Decoders made side by side
// share the log, which `load` takes away, and `sphinx_debug_level` and the neutral warp of `fe_warp_inverse_linear.c`: words
// into which each writes what is there already.
unsafe impl Send for Decoder {}

impl Sphinx {
    fn load() -> Result<Self, libloading::Error> {
        // SAFETY: loading runs the libraries' constructors, which have no preconditions. The signatures are those of
        // PocketSphinx 5prealpha's headers; PocketSphinx 5 has another API and another soname.
        unsafe {
            let base = Library::new("libsphinxbase.so.3")?;
            let pocket = Library::new("libpocketsphinx.so.3")?;
            // Without a callback its messages go nowhere, instead of to our standard error.
            let silence: unsafe extern "C" fn(*const c_void, *mut c_void) = *base.get(b"err_set_callback\0")?;
            silence(std::ptr::null(), std::ptr::null_mut());
            // Nor has it a log file: `logfp` of sphinxbase's `err.c` is one a process and has no lock, and `ps_init` prints
            // the arguments to it. Never give a decoder `-logfn`: each would close the file that others are printing to.
            let set_log: unsafe extern "C" fn(*mut c_void) = *base.get(b"err_set_logfp\0")?;
            set_log(std::ptr::null_mut());
            Ok(Self {
                args: *pocket.get(b"ps_args\0")?,
                parse: *base.get(b"cmd_ln_parse_r\0")?,
                free_config: *base.get(b"cmd_ln_free_r\0")?,
                init: *pocket.get(b"ps_init\0")?,
                free: *pocket.get(b"ps_free\0")?,
                config: *pocket.get(b"ps_get_config\0")?,
                set_option: *base.get(b"cmd_ln_set_int_r\0")?,
                current_search: *pocket.get(b"ps_get_search\0")?,
                language_model: *pocket.get(b"ps_get_lm\0")?,
                add_search: *pocket.get(b"ps_set_lm\0")?,
                choose_search: *pocket.get(b"ps_set_search\0")?,
                start_utterance: *pocket.get(b"ps_start_utt\0")?,
                process: *pocket.get(b"ps_process_raw\0")?,
                end_utterance: *pocket.get(b"ps_end_utt\0")?,
                hypothesis: *pocket.get(b"ps_get_hyp\0")?,
                posterior: *pocket.get(b"ps_get_prob\0")?,
                log_math: *pocket.get(b"ps_get_logmath\0")?,
                exp: *base.get(b"logmath_exp\0")?,
                _libraries: [base, pocket],
            })
        }
    }

    /// A decoder for these `-name value` arguments.
    pub fn decoder(&'static self, arguments: &[(&str, String)]) -> Result<Decoder, Error> {
        let words: Vec<CString> = std::iter::once("pocketsphinx")
            .chain(arguments.iter().flat_map(|(name, value)| [*name, value.as_str()]))
            .map(|word| CString::new(word.replace('\0', "")).expect("no NUL is left"))
            .collect();
        let pointers: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).expect("a few dozen arguments");
        // SAFETY: `argv` outlives the call, which copies its strings; a decoder retains its configuration, so ours is
        // released either way.
        let decoder = unsafe {
            let config = (self.parse)(std::ptr::null_mut(), (self.args)(), count, pointers.as_ptr(), 1);
            if config.is_null() {
                return Err(failed("its arguments were refused"));
            }
            let decoder = (self.init)(config);
            (self.free_config)(config);
            decoder
        };
        if decoder.is_null() {
            return Err(failed("the model, dictionary or language model could not be loaded"));
        }
        let decoder = Decoder { sphinx: self, decoder, in_utterance: false };
        decoder.add_searches()?;
        Ok(decoder)
    }
}

impl Decoder {
    /// Makes the two searches over the model that was loaded. Their options are read when they are made.
    fn add_searches(&self) -> Result<(), Error> {
        let sphinx = self.sphinx;
        // SAFETY: the decoder is ours and idle; its configuration and models live as long as it, and each search
        // retains the model.
        let added = unsafe {
            let config = (sphinx.config)(self.decoder);
            let model = (sphinx.language_model)(self.decoder, (sphinx.current_search)(self.decoder));
            [(ALONG, 0), (WHOLE, 1)].iter().all(|&(name, thorough)| {
                (sphinx.set_option)(config, c"-fwdflat".as_ptr(), thorough);
                (sphinx.set_option)(config, c"-bestpath".as_ptr(), thorough);
                (sphinx.add_search)(self.decoder, name.as_ptr(), model) == 0
            })
        };
        added.then_some(()).ok_or_else(|| failed("no search could be made over the language model"))
    }

    /// Listens to the next 16 kHz samples, beginning an utterance if there is none.
    pub fn listen(&mut self, samples: &[i16]) {
        self.process(ALONG, samples, false);
    }

    /// Decodes one whole utterance, with the cepstral mean of all of it.
    pub fn listen_to_all(&mut self, samples: &[i16]) {
        self.end();
        self.process(WHOLE, samples, true);
        self.end();
    }

    /// Ends the utterance, if there is one.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.in_utterance) {
            // SAFETY: the decoder is ours and within an utterance.
            unsafe { (self.sphinx.end_utterance)(self.decoder) };
        }
    }

    /// The words so far, or of the utterance that ended.
    pub fn hypothesis(&mut self) -> Option<String> {
        // SAFETY: the string belongs to the decoder and is copied before the next call.
        unsafe {
            let mut score = 0;
            let words = (self.sphinx.hypothesis)(self.decoder, &raw mut score);
            (!words.is_null()).then(|| CStr::from_ptr(words).to_string_lossy().into_owned())
        }
    }

    /// The posterior probability of the ended utterance's words among all that were considered.
    pub fn posterior(&mut self) -> f32 {
        // SAFETY: the decoder is ours; its log math lives as long as it.
        unsafe {
            let log = (self.sphinx.posterior)(self.decoder);
            (self.sphinx.exp)((self.sphinx.log_math)(self.decoder), log) as f32
        }
    }

    fn process(&mut self, search: &CStr, samples: &[i16], whole: bool) {
        // SAFETY: the decoder is ours; the samples are read during the call only.
        unsafe {
            if !self.in_utterance {
                self.in_utterance = (self.sphinx.choose_search)(self.decoder, search.as_ptr()) == 0
                    && (self.sphinx.start_utterance)(self.decoder) == 0;
            }
            if self.in_utterance && !samples.is_empty() {
                (self.sphinx.process)(self.decoder, samples.as_ptr(), samples.len(), 0, c_int::from(whole));
            }
        }
    }
}

/// Takes milliseconds, and gives its 25 MB back to the system: the allocator would keep what lies between other things.
impl Drop for Decoder {
    fn drop(&mut self) {
        self.end();
        // SAFETY: the decoder is ours and not used again.
        unsafe { (self.sphinx.free)(self.decoder) };
        // SAFETY: it has no preconditions.
        #[cfg(target_env = "gnu")]
        unsafe {
            libc::malloc_trim(0)
        };
    }
}

fn failed(message: &str) -> Error {
    Error::Provider { provider: "pocketsphinx", message: message.to_owned() }
}
