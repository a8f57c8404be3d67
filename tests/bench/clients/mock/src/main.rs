//! The server of the measurements: a POST to `/start/SECONDS` begins an operation whose polls, `/op/SECONDS/1` and
//! `/op/SECONDS/2`, answer 202 and then 200, all with `Retry-After: SECONDS`. For clients that follow an operation's
//! name and its `done`, `/begin/SECONDS` and `/go/SECONDS/1` and so on say the same. It keeps nothing.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A client that hangs up ends its connection, nothing else.
            let _ = serve(stream).await;
        });
    }
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        stream.read_exact(&mut vec![0; length]).await?;
        stream.write_all(answer(&path).as_bytes()).await?;
    }
}

fn answer(path: &str) -> String {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["start", seconds] => running(seconds, "op", 1),
        ["op", seconds, "1"] => running(seconds, "op", 2),
        ["op", seconds, _] => with_body("200 OK", seconds, "", r#"{"status":"Succeeded","result":42}"#),
        ["begin", seconds] => running(seconds, "go", 1),
        ["go", seconds, "1"] => running(seconds, "go", 2),
        ["go", seconds, _] => with_body("200 OK", seconds, "", DONE),
        _ => with_body("404 Not Found", "0", "", "{}"),
    }
}

/// The result as google.longrunning.Operation.
const DONE: &str =
    r#"{"done":true,"response":{"@type":"type.googleapis.com/google.protobuf.Int32Value","value":42}}"#;

fn running(seconds: &str, dialect: &str, next: u32) -> String {
    match dialect {
        "go" => with_body("202 Accepted", seconds, "", &format!(r#"{{"name":"go/{seconds}/{next}"}}"#)),
        _ => {
            let location = format!("location: /{dialect}/{seconds}/{next}\r\n");
            with_body("202 Accepted", seconds, &location, r#"{"status":"Running"}"#)
        }
    }
}

/// The bytes of every answer, so that no dialect has more of them than another.
const SIZE: usize = 256;

fn with_body(status: &str, seconds: &str, location: &str, body: &str) -> String {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nretry-after: {seconds}\r\n{location}");
    // Spaces before a header's value belong to nothing; no client gets to see them.
    let name = "content-type:";
    let width = SIZE - head.len() - name.len() - "\r\n\r\n".len() - length;
    format!("{head}{name}{:>width$}\r\n\r\n{body}", "application/json")
}
