//! One connection of a driver to a member.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    Cut, Line,
    wire::{self, Substitution},
};

/// How much of what a driver sends is passed on at once.
const CHUNK: usize = 64 * 1024;

/// How many messages can be on the way in one direction.
const ON_THE_WAY: usize = 64;

/// Bytes, and when they are to arrive.
type Parcel = (Instant, Vec<u8>);

/// Passes on what both sides say until one closes, or the line is cut.
pub(super) async fn serve(
    mut client: TcpStream,
    member: u16,
    mut line: watch::Receiver<Line>,
    substitution: Arc<Substitution>,
) {
    // Nothing arrives at the member either before the line is mended.
    if until(&mut line, |cut| cut != Some(Cut::Blackhole))
        .await
        .is_err()
    {
        return;
    }
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", member)).await else {
        return;
    };
    // Without this each answer would wait for the acknowledgement of the one before it.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pass(to_server, line.clone(), |parcels, line| {
            chunks(from_client, parcels, line)
        });
        let back = pass(to_client, line.clone(), |parcels, line| {
            messages(from_server, parcels, line, substitution)
        });
        tokio::select! {
            _ = there => {}
            _ = back => {}
            _ = until(&mut line, |cut| cut == Some(Cut::Refuse)) => {}
        }
    }
    if line.borrow().cut == Some(Cut::Refuse) {
        // A reset, not an orderly end; an error means that it is closed already.
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

/// One direction: `read` fills the way, and what is on it arrives in time.
async fn pass<F: Future<Output = io::Result<()>>>(
    sink: impl AsyncWrite + Unpin,
    line: watch::Receiver<Line>,
    read: impl FnOnce(mpsc::Sender<Parcel>, watch::Receiver<Line>) -> F,
) -> io::Result<()> {
    let (parcels, way) = mpsc::channel(ON_THE_WAY);
    tokio::try_join!(read(parcels, line.clone()), deliver(way, sink, line))?;
    Ok(())
}

async fn deliver(
    mut way: mpsc::Receiver<Parcel>,
    mut sink: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Line>,
) -> io::Result<()> {
    while let Some((arrival, bytes)) = way.recv().await {
        sleep_until(arrival).await;
        until(&mut line, |cut| cut.is_none()).await?;
        sink.write_all(&bytes).await?;
    }
    Ok(())
}

/// From a driver to a member, nothing needs to be understood.
async fn chunks(
    mut source: impl AsyncRead + Unpin,
    parcels: mpsc::Sender<Parcel>,
    line: watch::Receiver<Line>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = source.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        send(&parcels, &line, buffer[..read].to_vec()).await?;
    }
}

/// From a member to a driver, message by message.
async fn messages(
    mut source: impl AsyncRead + Unpin,
    parcels: mpsc::Sender<Parcel>,
    line: watch::Receiver<Line>,
    substitution: Arc<Substitution>,
) -> io::Result<()> {
    let mut header = [0; wire::HEADER];
    while source.read_exact(&mut header).await.is_ok() {
        let length = wire::length(&header).ok_or(ErrorKind::InvalidData)?;
        let mut message = header.to_vec();
        message.resize(length, 0);
        source.read_exact(&mut message[wire::HEADER..]).await?;
        substitution.in_hello(&mut message);
        send(&parcels, &line, message).await?;
    }
    Ok(())
}

async fn send(
    parcels: &mpsc::Sender<Parcel>,
    line: &watch::Receiver<Line>,
    bytes: Vec<u8>,
) -> io::Result<()> {
    let delay: Duration = line.borrow().delay;
    let sent = parcels.send((Instant::now() + delay, bytes)).await;
    sent.map_err(|_| ErrorKind::BrokenPipe.into())
}

/// Waits until the line is as wanted; an error means that the proxy is gone.
async fn until(
    line: &mut watch::Receiver<Line>,
    wanted: impl Fn(Option<Cut>) -> bool,
) -> io::Result<()> {
    let seen = line.wait_for(|it| wanted(it.cut)).await;
    seen.map(drop).map_err(|_| ErrorKind::BrokenPipe.into())
}
