//! How many requests are on their way at once, over all operations of a client.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::Url;

use crate::client::pause_until;
use crate::pace::after;

/// Hosts whose next free moment is remembered before those that lie in the past are forgotten.
const REMEMBERED_HOSTS: usize = 1024;

/// A limit on requests in flight, and one on their rate to each host.
pub(crate) struct Limiter {
    places: Semaphore,
    all: usize,
    /// The time between two requests to one host; zero for no limit.
    spacing: Duration,
    next: Mutex<HashMap<String, Instant>>,
}

impl Limiter {
    pub(crate) fn new(places: usize, spacing: Duration) -> Self {
        let all = places.clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Semaphore::new(all), all, spacing, next: Mutex::default() }
    }

    /// The permit of a request that need not wait.
    pub(crate) fn enter_at_once(&self) -> Option<SemaphorePermit<'_>> {
        if self.spacing.is_zero() { self.places.try_acquire().ok() } else { None }
    }

    /// Waits for the turn of a request. It is on its way until the permit is dropped.
    pub(crate) async fn enter(&self, url: &Url) -> SemaphorePermit<'_> {
        let mut turn = self.turn(url, Instant::now());
        loop {
            // Before taking a place: one slow host must not keep the others waiting.
            if turn > Instant::now() {
                // Boxed like all that is rare, so that those who wait in line are small.
                Box::pin(pause_until(turn)).await;
            }
            if let Ok(place) = self.places.try_acquire() {
                return place;
            }
            let place = self.places.acquire().await.expect("the semaphore is never closed");
            // Those that waited for a place have missed their turns, and must not all go at once.
            let now = Instant::now();
            turn = self.turn(url, now);
            if turn <= now {
                return place;
            }
        }
    }

    /// Gives back the place of a permit that was forgotten: that of a stream, which outlives what it was asked with.
    pub(crate) fn give_back(&self) {
        self.places.add_permits(1);
    }

    /// Whether places are scarce, so that no request should be held at the server for long.
    pub(crate) fn is_busy(&self) -> bool {
        self.places.available_permits() * 2 < self.all
    }

    /// Reserves the next free moment of the URL's host.
    fn turn(&self, url: &Url, now: Instant) -> Instant {
        if self.spacing.is_zero() {
            return now;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= REMEMBERED_HOSTS {
            next.retain(|_, at| *at > now);
        }
        let host = url.origin().ascii_serialization();
        let free = next.entry(host).or_insert(now);
        let turn = (*free).max(now);
        *free = after(turn, self.spacing);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_host_has_its_own_rate() {
        let limiter = Limiter::new(10, Duration::from_millis(100));
        let (one, other) = (Url::parse("http://a/x").unwrap(), Url::parse("http://b/x").unwrap());
        let now = Instant::now();

        let turns = [limiter.turn(&one, now), limiter.turn(&one, now), limiter.turn(&other, now)];

        assert_eq!(turns, [now, now + Duration::from_millis(100), now]);
        let later = now + Duration::from_secs(5);
        assert_eq!(limiter.turn(&one, later), later);
    }

    #[tokio::test]
    async fn it_is_busy_when_more_than_half_of_its_places_are_taken() {
        let limiter = Limiter::new(2, Duration::ZERO);
        let url = Url::parse("http://a/x").unwrap();

        let _one = limiter.enter(&url).await;
        let before = limiter.is_busy();
        let _two = limiter.enter(&url).await;

        assert!(!before && limiter.is_busy());
    }

    /// When each of `count` requests to one host is on its way, if each takes `long`.
    async fn departures(limiter: &Limiter, count: usize, long: Duration) -> Vec<Duration> {
        let (url, begin) = (Url::parse("http://a/x").unwrap(), Instant::now());
        let request = async |_| {
            let _place = limiter.enter(&url).await;
            let departed = begin.elapsed();
            tokio::time::sleep(long).await;
            departed
        };
        let mut all = futures_util::future::join_all((0..count).map(request)).await;
        all.sort();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn requests_to_one_host_are_spaced() {
        let limiter = Limiter::new(10, Duration::from_millis(100));

        let departures = departures(&limiter, 5, Duration::from_secs(1)).await;

        assert_eq!(departures, [0, 100, 200, 300, 400].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_waited_for_a_place_are_spaced_too() {
        let limiter = Limiter::new(2, Duration::from_millis(100));

        let departures = departures(&limiter, 8, Duration::from_millis(150)).await;

        assert!(departures.is_sorted());
        for pair in departures.windows(2) {
            assert!(pair[1] - pair[0] >= Duration::from_millis(99), "{departures:?}");
        }
    }
}
