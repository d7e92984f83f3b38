//! Sockets of links: their options, a handle that shuts them down, and the stream that the actor
//! runtime reads and writes.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use super::names;

/// Bytes in flight are unacknowledged for this long: the kernel gives the connection up. Without it a
/// peer that vanished is noticed after 15 minutes.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);
/// An idle connection is probed after this time, this often, at most so many times.
const IDLE: (Duration, Duration, u32) = (Duration::from_secs(5), Duration::from_secs(2), 3);
/// The runtime reads lengths and bodies by 8 KiB; a buffer makes of that one call per 256 KiB.
const READ_BUFFER: usize = 256 << 10;

/// Sets the options of a link's socket.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (idle, pause, probes) = IDLE;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, pause)?;
    sockopt::set_tcp_keepcnt(stream, probes)?;
    sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED.as_millis() as u32)?;
    Ok(())
}

/// Shuts a connection down from outside. The runtime's writer would keep a socket open for as long as
/// its queue lasts, even after its session has ended.
#[derive(Debug)]
pub(super) struct Closer(std::net::TcpStream);

impl Closer {
    /// A second handle to the socket of `stream`.
    pub fn of(stream: &TcpStream) -> io::Result<Self> {
        use std::os::fd::AsFd;
        Ok(Self(std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?)))
    }

    /// Ends both directions; whoever reads or writes is told.
    pub fn close(&self) {
        // Already closed by the other side: that is what was wanted.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        self.close();
    }
}

/// A connection, encrypted or plain.
#[derive(Debug)]
pub(super) enum Wire {
    /// Bytes as they are.
    Plain(TcpStream),
    /// Both ends have shown a certificate.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A connection as the actor runtime takes it. The label finds our own record of it again.
#[derive(Debug)]
pub(super) struct LinkStream {
    pub label: String,
    pub wire: Wire,
}

impl ClusterBidiStream for LinkStream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        match self.wire {
            Wire::Plain(stream) => {
                let (read, write) = stream.into_split();
                halves(read, write)
            }
            Wire::Tls(stream) => {
                let (read, write) = tokio::io::split(stream);
                halves(read, write)
            }
        }
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.label.clone())
    }
}

fn halves<R, W>(read: R, write: W) -> (BoxRead, BoxWrite)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let counter = |way| metrics::counter!(names::LINK_BYTES, "way" => way);
    let read = Counted { inner: read, bytes: counter("in") };
    let write = Counted { inner: write, bytes: counter("out") };
    (Box::new(BufReader::with_capacity(READ_BUFFER, read)), Box::new(write))
}

/// Counts what passes.
struct Counted<S> {
    inner: S,
    bytes: metrics::Counter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.bytes.increment((buf.filled().len() - before) as u64);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled {
            self.bytes.increment(written as u64);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
