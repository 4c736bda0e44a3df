//! The bytes of a connection, and how they end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose last answer arrives. One that is closed while bytes of the peer are unread is
/// reset, and a reset may reach the peer before it has read why its request was refused (RFC 9112
/// §9.6). So what has arrived until then is read.
pub(super) struct Stream(pub(super) TcpStream);

/// How much of what nobody wants is read at most, 256 KiB: a peer that sends for ever is reset.
const UNWANTED_READS: usize = 64;
const UNWANTED_BYTES: usize = 4 * 1024;

impl Stream {
    fn read_unwanted(&self) {
        let mut bytes = [0; UNWANTED_BYTES];
        for _ in 0..UNWANTED_READS {
            // An error is that nothing has arrived, or ever will.
            if !matches!(self.0.try_read(&mut bytes), Ok(1..)) {
                return;
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_shutdown(context))?;
        self.read_unwanted();
        Poll::Ready(Ok(()))
    }
}
