//! The binding to `libchdb.so`: the only unsafe code of the project.
//!
//! The library is loaded once and never unloaded, because it leaves threads behind. All handles are
//! owned by the wrappers below and freed exactly once, by `Drop`. Nothing outside this module sees a
//! raw pointer.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

/// A pair of server-side parameter name and its value in the engine's text form.
pub(crate) type Param = (String, String);

type RawConnection = *mut *mut c_void;
type RawResult = *mut c_void;
type RawInsert = *mut c_void;

/// Declares the C functions that are used and a loader that resolves all of them.
macro_rules! c_api {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The resolved C functions of the loaded library.
        struct Functions {
            $($name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
        }

        impl Functions {
            /// # Safety
            /// `library` must be a libchdb whose C API has the signatures declared here.
            unsafe fn resolve(library: &libloading::Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    // SAFETY: the caller vouches for the signatures; a missing symbol is an error.
                    $($name: unsafe {
                        *library.get(concat!(stringify!($name), "\0").as_bytes())?
                    },)*
                })
            }
        }
    };
}

c_api! {
    chdb_version: fn() -> *const c_char;
    chdb_set_signal_handlers_enabled: fn(c_int);
    chdb_connect: fn(c_int, *mut *mut c_char) -> RawConnection;
    chdb_close_conn: fn(RawConnection);
    chdb_query_with_params_n: fn(
        *mut c_void, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawResult;
    chdb_stream_insert_with_params_n: fn(
        *mut c_void, *const c_char, usize, *const c_char, usize,
        *const *const c_char, *const usize, *const *const c_char, *const usize, usize
    ) -> RawInsert;
    chdb_stream_insert_error: fn(RawInsert) -> *const c_char;
    chdb_stream_append: fn(RawInsert, *const c_void, usize) -> c_int;
    chdb_stream_done: fn(RawInsert) -> RawResult;
    chdb_stream_cancel_insert: fn(RawInsert);
    chdb_destroy_insert_stream: fn(RawInsert);
    chdb_result_buffer: fn(RawResult) -> *const c_char;
    chdb_result_length: fn(RawResult) -> usize;
    chdb_result_error: fn(RawResult) -> *const c_char;
    chdb_result_rows_read: fn(RawResult) -> u64;
    chdb_result_storage_rows_read: fn(RawResult) -> u64;
    chdb_result_storage_bytes_read: fn(RawResult) -> u64;
    chdb_result_rows_written: fn(RawResult) -> u64;
    chdb_result_bytes_written: fn(RawResult) -> u64;
    chdb_destroy_query_result: fn(RawResult);
}

/// The loaded library; lives as long as the process.
pub(crate) struct Library {
    functions: Functions,
}

impl Library {
    /// Loads the library and switches its signal handlers off, so that SIGTERM stays ours.
    ///
    /// # Errors
    /// When the file is no shared library or lacks one of the functions.
    pub(crate) fn load(path: &Path) -> Result<&'static Self, libloading::Error> {
        // SAFETY: loading runs the library's constructors. The file is the one that the operator
        // installed and whose checksum the set-up script verified; its constructors need nothing.
        let library = unsafe { libloading::Library::new(path)? };
        // SAFETY: the signatures above are those of the pinned version, which the caller compares
        // with `version` before any other call.
        let functions = unsafe { Functions::resolve(&library)? };
        std::mem::forget(library);
        // SAFETY: may be called at any time and takes only a flag.
        unsafe { (functions.chdb_set_signal_handlers_enabled)(0) };
        Ok(Box::leak(Box::new(Self { functions })))
    }

    /// The library's own release number.
    pub(crate) fn version(&self) -> String {
        // SAFETY: takes nothing and returns a constant string of the library, or null.
        let text = unsafe { (self.functions.chdb_version)() };
        // SAFETY: null or NUL-terminated and never freed, as said above.
        unsafe { owned_text(text) }.unwrap_or_default()
    }
}

/// Copies a C string; null gives `None`.
///
/// # Safety
/// `text` must be null or point to a NUL-terminated string that outlives the call.
unsafe fn owned_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated by the caller's promise.
    Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// One session of the engine, with its own settings and current database.
pub(crate) struct Connection {
    library: &'static Library,
    raw: RawConnection,
}

// SAFETY: a connection has no thread affinity: the engine keys its state by the handle, and its own
// bindings move handles between threads. `&mut self` on every call keeps uses one at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// Opens a session; the first one of a process starts the engine on the path in `args`.
    ///
    /// Returns `None` when the engine refused. It says why on standard error only.
    pub(crate) fn open(library: &'static Library, args: &[CString]) -> Option<Self> {
        let mut argv: Vec<*mut c_char> = args.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
        // SAFETY: `argv` holds `len` NUL-terminated strings that outlive the call; the engine copies
        // them and writes to none.
        let raw =
            unsafe { (library.functions.chdb_connect)(argv.len() as c_int, argv.as_mut_ptr()) };
        // SAFETY: a non-null answer points to the connection handle.
        if raw.is_null() || unsafe { *raw }.is_null() {
            return None;
        }
        Some(Self { library, raw })
    }

    fn handle(&self) -> *mut c_void {
        // SAFETY: `raw` was checked by `open` and stays valid until `drop`.
        unsafe { *self.raw }
    }

    /// Runs one statement and waits for its whole answer.
    ///
    /// # Errors
    /// The engine's exception text.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        format: &str,
        params: &[Param],
    ) -> Result<QueryResult, String> {
        let params = Params::new(params);
        // SAFETY: the handle is live and used by nobody else (`&mut self`); every pointer is paired
        // with its length and outlives the call, which keeps none of them.
        let raw = unsafe {
            (self.library.functions.chdb_query_with_params_n)(
                self.handle(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        QueryResult::check(self.library, raw)
    }

    /// Inserts `data` (all of it or, in case of an error in the first block, none).
    ///
    /// # Errors
    /// The engine's exception text.
    pub(crate) fn insert(
        &mut self,
        head: &str,
        format: &str,
        params: &[Param],
        data: &[&[u8]],
    ) -> Result<QueryResult, String> {
        let params = Params::new(params);
        // SAFETY: as in `query`; the parameters are captured before the call returns.
        let raw = unsafe {
            (self.library.functions.chdb_stream_insert_with_params_n)(
                self.handle(),
                head.as_ptr().cast(),
                head.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        };
        if raw.is_null() {
            return Err("the engine returned no insert stream".to_owned());
        }
        let mut stream = InsertStream { connection: self, raw, finished: false };
        stream.check()?;
        for chunk in data.iter().filter(|chunk| !chunk.is_empty()) {
            stream.append(chunk)?;
        }
        stream.finish()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `chdb_connect`, is closed only here, and nothing borrows it.
        unsafe { (self.library.functions.chdb_close_conn)(self.raw) };
    }
}

/// A running insert. It borrows the connection, which can do nothing else meanwhile.
struct InsertStream<'a> {
    connection: &'a mut Connection,
    raw: RawInsert,
    finished: bool,
}

impl InsertStream<'_> {
    fn functions(&self) -> &'static Functions {
        &self.connection.library.functions
    }

    fn check(&self) -> Result<(), String> {
        // SAFETY: the stream is live; the text belongs to it and is copied at once.
        match unsafe { owned_text((self.functions().chdb_stream_insert_error)(self.raw)) } {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn append(&mut self, chunk: &[u8]) -> Result<(), String> {
        // SAFETY: the stream is live, the slice outlives the call, and the engine copies it.
        let state = unsafe {
            (self.functions().chdb_stream_append)(self.raw, chunk.as_ptr().cast(), chunk.len())
        };
        self.check()?;
        if state == 0 { Ok(()) } else { Err("the engine refused the data".to_owned()) }
    }

    fn finish(mut self) -> Result<QueryResult, String> {
        self.finished = true;
        // SAFETY: the stream is live; the answer is a result that we own, the stream stays ours.
        let raw = unsafe { (self.functions().chdb_stream_done)(self.raw) };
        if raw.is_null() {
            self.check()?;
        }
        QueryResult::check(self.connection.library, raw)
    }
}

impl Drop for InsertStream<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // SAFETY: the stream is live and unfinished; this gives up its data.
            unsafe { (self.functions().chdb_stream_cancel_insert)(self.raw) };
        }
        // SAFETY: every stream, finished or not, is destroyed once: here.
        unsafe { (self.functions().chdb_destroy_insert_stream)(self.raw) };
    }
}

/// A successful answer; its bytes stay in the engine's memory until it is dropped.
pub(crate) struct QueryResult {
    library: &'static Library,
    raw: RawResult,
}

// SAFETY: a finished result is immutable, owned by this value alone, and not tied to a thread or to
// its connection.
unsafe impl Send for QueryResult {}
// SAFETY: as above; all accessors only read.
unsafe impl Sync for QueryResult {}

impl QueryResult {
    /// Takes ownership of a result and turns the engine's error text into an `Err`.
    fn check(library: &'static Library, raw: RawResult) -> Result<Self, String> {
        if raw.is_null() {
            return Err("the engine returned no result".to_owned());
        }
        let result = Self { library, raw };
        // SAFETY: the result is live; the text belongs to it and is copied at once.
        match unsafe { owned_text((library.functions.chdb_result_error)(raw)) } {
            Some(error) if !error.is_empty() => Err(error),
            _ => Ok(result),
        }
    }

    fn number(&self, accessor: unsafe extern "C" fn(RawResult) -> u64) -> u64 {
        // SAFETY: the result is live and the accessor only reads a counter.
        unsafe { accessor(self.raw) }
    }

    /// Rows in the answer.
    pub(crate) fn result_rows(&self) -> u64 {
        self.number(self.library.functions.chdb_result_rows_read)
    }

    /// Rows read from tables.
    pub(crate) fn read_rows(&self) -> u64 {
        self.number(self.library.functions.chdb_result_storage_rows_read)
    }

    /// Bytes read from tables.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.number(self.library.functions.chdb_result_storage_bytes_read)
    }

    /// Rows written.
    pub(crate) fn written_rows(&self) -> u64 {
        self.number(self.library.functions.chdb_result_rows_written)
    }

    /// Bytes written.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.number(self.library.functions.chdb_result_bytes_written)
    }
}

impl AsRef<[u8]> for QueryResult {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the result is live; both only read.
        let (buffer, length) = unsafe {
            let functions = &self.library.functions;
            ((functions.chdb_result_buffer)(self.raw), (functions.chdb_result_length)(self.raw))
        };
        if buffer.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: the engine says `buffer` holds `length` bytes; they live and never change until
        // the result is destroyed, which `&self` prevents.
        unsafe { std::slice::from_raw_parts(buffer.cast(), length) }
    }
}

impl Drop for QueryResult {
    fn drop(&mut self) {
        // SAFETY: the result came from the engine and is destroyed only here.
        unsafe { (self.library.functions.chdb_destroy_query_result)(self.raw) };
    }
}

/// Parallel arrays of pointers and lengths, as the C API wants its parameters.
struct Params {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
}

impl Params {
    /// The pointers are valid as long as `pairs` is borrowed by the caller.
    fn new(pairs: &[Param]) -> Self {
        let pointer = |text: &String| {
            if text.is_empty() { ptr::from_ref(c"").cast() } else { text.as_ptr().cast() }
        };
        Self {
            names: pairs.iter().map(|(name, _)| pointer(name)).collect(),
            name_lengths: pairs.iter().map(|(name, _)| name.len()).collect(),
            values: pairs.iter().map(|(_, value)| pointer(value)).collect(),
            value_lengths: pairs.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}
