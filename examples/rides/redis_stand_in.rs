//! Answers like a Redis that is full of drivers, so that none need be installed.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The drivers whose next command finds Redis busy.
type Busy = Arc<Mutex<HashSet<String>>>;

pub(crate) async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let busy = Busy::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, busy.clone()));
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, busy: Busy) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let command = read(&mut stream).await?;
        let reply = reply(&command, &busy);
        stream.get_mut().write_all(reply.as_bytes()).await?;
    }
}

fn reply(command: &[String], busy: &Busy) -> String {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words[..] {
        // Four drivers are near every place: `T{place}/1` to `T{place}/4`.
        ["GEOSEARCH", _, _, x, y, ..] => {
            let mut busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
            busy.insert(format!("T{x},{y}/2"));
            let drivers = (1..=4).map(|n| bulk(&format!("T{x},{y}/{n}")));
            format!("*4\r\n{}", drivers.collect::<String>())
        }
        ["GET", driver] => {
            let mut busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
            if busy.remove(driver) {
                return "-BUSY Redis is busy running a script\r\n".to_owned();
            }
            bulk(&place(driver).unwrap_or_default())
        }
        _ => "+OK\r\n".to_owned(),
    }
}

/// Returns the place of a driver: the higher its number, the farther from the place in its name.
fn place(driver: &str) -> Option<String> {
    let (place, n) = driver.strip_prefix('T')?.split_once('/')?;
    let (x, y) = place.split_once(',')?;
    let x = x.parse::<u32>().ok()? + n.parse::<u32>().ok()?;
    Some(format!("{x},{y}"))
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// Reads a command: `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`.
async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream, '*').await? {
        let mut bytes = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut bytes).await?;
        words.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
    }
    Ok(words)
}

async fn number(stream: &mut (impl AsyncBufRead + Unpin), mark: char) -> io::Result<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let number = line.strip_prefix(mark).map(|rest| rest.trim_end().parse());
    number
        .and_then(Result::ok)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
