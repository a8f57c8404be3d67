//! The least that a poll could cost: one warp route with a fixed answer. The benchmark compares with it.

use warp::Filter as _;

// As the server has it, or the comparison would be one of allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() {
    let body = std::env::args().nth(1).unwrap_or_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    let route = warp::path!("status")
        .and(warp::get())
        .map(move || warp::reply::with_header(body.clone(), "content-type", "application/json"));
    warp::serve(route).incoming(listener).run().await;
}
