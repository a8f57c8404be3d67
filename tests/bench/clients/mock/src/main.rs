//! The server of the measurements: a POST to `/start/SECONDS` begins an operation whose polls, `/op/SECONDS/1` and
//! `/op/SECONDS/2`, answer 202 and then 200, all with `Retry-After: SECONDS`. It keeps nothing.

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
        ["start", seconds] => running(seconds, 1),
        ["op", seconds, "1"] => running(seconds, 2),
        ["op", _, _] => with_body("200 OK", "", r#"{"status":"Succeeded","result":42}"#),
        _ => with_body("404 Not Found", "", "{}"),
    }
}

fn running(seconds: &str, next: u32) -> String {
    let headers = format!("location: /op/{seconds}/{next}\r\nretry-after: {seconds}\r\n");
    with_body("202 Accepted", &headers, r#"{"status":"Running"}"#)
}

fn with_body(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}
