//! The shim between SQLite and its default VFS. The only place in the crate that speaks C.
//!
//! Layout: SQLite allocates `szOsFile` bytes for a file; ours come first, those of the VFS beneath after them. A
//! file's methods find the VFS's account through the pointer that `open` left in it.
#![expect(unsafe_code, reason = "an SQLite VFS is a table of C functions")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use super::shared::{Refused, Shared};

/// A VFS that SQLite knows until this is dropped.
pub(super) struct Registered {
    name: String,
    // Leaked: connections may outlive this, and each holds a pointer to its VFS.
    vfs: &'static Vfs,
}

#[repr(C)]
struct Vfs {
    base: sqlite3_vfs,
    beneath: *mut sqlite3_vfs,
    shared: Arc<Shared>,
    name: CString,
}

// SAFETY: after its registration it is only read; SQLite guards what it writes (`pNext`) by a mutex of its own.
unsafe impl Sync for Vfs {}
// SAFETY: as above.
unsafe impl Send for Vfs {}

#[repr(C)]
struct File {
    base: sqlite3_file,
    shared: *const Shared,
    /// Null for files that no power cut touches: temporary ones.
    path: *mut CString,
}

impl Registered {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("power-loss-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let c_name = CString::new(name.as_str()).expect("the name has no NUL");
        // SAFETY: null asks for the default VFS, which lives as long as the process.
        let (beneath, size, longest_path) = unsafe {
            let beneath = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!beneath.is_null(), "SQLite has a default VFS");
            (beneath, (*beneath).szOsFile, (*beneath).mxPathname)
        };
        let own = c_int::try_from(size_of::<File>()).expect("a few words");
        let vfs = Box::leak(Box::new(Vfs {
            base: sqlite3_vfs {
                iVersion: 2,
                szOsFile: own + size,
                mxPathname: longest_path,
                pNext: ptr::null_mut(),
                zName: ptr::null(),
                pAppData: ptr::null_mut(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_pathname),
                xDlOpen: None,
                xDlError: None,
                xDlSym: None,
                xDlClose: None,
                xRandomness: Some(randomness),
                xSleep: Some(sleep),
                xCurrentTime: Some(current_time),
                xGetLastError: Some(last_error),
                xCurrentTimeInt64: Some(current_time_int64),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
            },
            beneath,
            shared: Arc::clone(shared),
            name: c_name,
        }));
        vfs.base.zName = vfs.name.as_ptr();
        // SAFETY: `vfs` is complete and is never freed. `base` is its first field, so that one pointer is the other.
        let registered = unsafe { ffi::sqlite3_vfs_register(ptr::from_mut(vfs).cast(), 0) };
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes another VFS");
        Self { name, vfs }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: it was registered, and stays allocated for the connections that use it still.
        unsafe { ffi::sqlite3_vfs_unregister(ptr::from_ref(self.vfs).cast_mut().cast()) };
        self.vfs.shared.clear();
    }
}

/// # Safety
/// `vfs` is one of ours, as SQLite passes to every function of the table.
unsafe fn ours<'a>(vfs: *mut sqlite3_vfs) -> &'a Vfs {
    // SAFETY: `base` is the first field of a `Vfs`, which is never freed.
    unsafe { &*vfs.cast::<Vfs>() }
}

/// # Safety
/// `file` was made by [`open`], or is about to be: it has `szOsFile` bytes.
unsafe fn beneath(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the file beneath comes after ours in the same allocation.
    unsafe { file.byte_add(size_of::<File>()) }
}

/// The account and the path of a file, if a power cut touches it.
///
/// # Safety
/// `file` was made by [`open`] and is not closed.
unsafe fn recorded<'a>(file: *mut sqlite3_file) -> Option<(&'a Shared, &'a Path)> {
    // SAFETY: `open` filled in both; the account lives as long as the VFS, which is never freed.
    unsafe {
        let file = &*file.cast::<File>();
        let path: &CString = file.path.as_ref()?;
        Some((&*file.shared, as_path(path)))
    }
}

fn as_path(path: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Calls a method of the file beneath.
macro_rules! call {
    ($file:expr, $method:ident $(, $argument:expr)*) => {{
        // SAFETY: SQLite calls methods of open files only, and the file beneath is open as long as ours.
        unsafe {
            let beneath = beneath($file);
            match (*(*beneath).pMethods).$method {
                Some(method) => method(beneath $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

/// Calls a function of the VFS beneath.
macro_rules! call_vfs {
    ($vfs:expr, $function:ident $(, $argument:expr)*) => {{
        // SAFETY: the VFS is one of ours, and the default VFS beneath it is never freed.
        unsafe {
            let beneath = ours($vfs).beneath;
            match (*beneath).$function {
                Some(function) => function(beneath $(, $argument)*),
                None => ffi::SQLITE_ERROR,
            }
        }
    }};
}

fn code(result: Result<(), Refused>) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Refused::Full) => ffi::SQLITE_FULL,
        Err(Refused::Sync) => ffi::SQLITE_IOERR_FSYNC,
        Err(Refused::Beneath(code)) => code,
    }
}

fn length(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(0)
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes at `file`.
    let inner = unsafe { beneath(file) };
    // SAFETY: the same bytes, of which the first are ours. Without methods, SQLite does not close the file.
    unsafe {
        (*inner).pMethods = ptr::null();
        (*file).pMethods = ptr::null();
    }
    let opened = call_vfs!(vfs, xOpen, name, inner, flags, out_flags);
    if opened != ffi::SQLITE_OK {
        // SAFETY: as SQLite itself would: a file with methods is closed even if it was not opened.
        if !unsafe { (*inner).pMethods.is_null() } {
            call!(file, xClose);
        }
        return opened;
    }
    // SAFETY: the VFS is one of ours.
    let shared = Arc::as_ptr(unsafe { &ours(vfs).shared });
    let kept = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
    let mut path = ptr::null_mut();
    if flags & kept != 0 && !name.is_null() {
        // SAFETY: SQLite passes a full path, and the account lives as long as the VFS.
        let (name, shared) = unsafe { (CStr::from_ptr(name).to_owned(), &*shared) };
        shared.open(as_path(&name));
        path = Box::into_raw(Box::new(name));
    }
    // SAFETY: there is room for a `File` at `file`, aligned as SQLite aligns everything that it allocates: to 8.
    unsafe {
        file.cast::<File>().write(File { base: sqlite3_file { pMethods: &raw const METHODS }, shared, path });
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync_directory: c_int) -> c_int {
    // SAFETY: SQLite passes a path and our VFS.
    let (shared, path) = unsafe { (&ours(vfs).shared, as_path(CStr::from_ptr(name))) };
    code(shared.delete(path, || call_vfs!(vfs, xDelete, name, sync_directory)))
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    call_vfs!(vfs, xAccess, name, flags, out)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    call_vfs!(vfs, xFullPathname, name, size, out)
}

unsafe extern "C" fn randomness(vfs: *mut sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    call_vfs!(vfs, xRandomness, size, out)
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    call_vfs!(vfs, xSleep, microseconds)
}

unsafe extern "C" fn current_time(vfs: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    call_vfs!(vfs, xCurrentTime, out)
}

unsafe extern "C" fn last_error(vfs: *mut sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    call_vfs!(vfs, xGetLastError, size, out)
}

unsafe extern "C" fn current_time_int64(vfs: *mut sqlite3_vfs, out: *mut sqlite3_int64) -> c_int {
    call_vfs!(vfs, xCurrentTimeInt64, out)
}

/// Version 2: with shared memory, without memory-mapped writes, which nobody could keep account of.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let closed = call!(file, xClose);
    // SAFETY: `open` filled it in, and a file is closed once.
    unsafe {
        let own = file.cast::<File>();
        if !(*own).path.is_null() {
            drop(Box::from_raw((*own).path));
            (*own).path = ptr::null_mut();
        }
    }
    closed
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    size: c_int,
    offset: sqlite3_int64,
) -> c_int {
    call!(file, xRead, to, size, offset)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    size: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite writes to open files only.
    let Some((shared, path)) = (unsafe { recorded(file) }) else {
        return call!(file, xWrite, from, size, offset);
    };
    // SAFETY: SQLite passes `size` bytes.
    let bytes = unsafe { slice::from_raw_parts(from.cast::<u8>(), length(size)) };
    code(shared.write(path, length(offset), bytes, || call!(file, xWrite, from, size, offset)))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: SQLite truncates open files only.
    let Some((shared, path)) = (unsafe { recorded(file) }) else { return call!(file, xTruncate, size) };
    code(shared.truncate(path, length(size), || call!(file, xTruncate, size)))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite syncs open files only.
    let Some((shared, path)) = (unsafe { recorded(file) }) else { return call!(file, xSync, flags) };
    code(shared.sync(path, || call!(file, xSync, flags)))
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut sqlite3_int64) -> c_int {
    call!(file, xFileSize, out)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    call!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    call!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    call!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    call!(file, xFileControl, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    call!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    call!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    call!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    call!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: SQLite calls methods of open files only.
    unsafe {
        let beneath = beneath(file);
        if let Some(barrier) = (*(*beneath).pMethods).xShmBarrier {
            barrier(beneath);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    call!(file, xShmUnmap, delete)
}
