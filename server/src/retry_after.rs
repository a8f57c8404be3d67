//! When to ask again: what `Retry-After` says. Pure: the dice are an argument.

use crate::action::Pace;

/// What an answer that was held says, and a replay of an operation that has ended: there is something to see soon.
const SOON: u32 = 1;

/// The bounds of what answers ask for, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The least; 0 is for tests.
    pub(crate) shortest: u32,
    /// The most.
    pub(crate) longest: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { shortest: 1, longest: 600 }
    }
}

impl Bounds {
    fn hold(self, seconds: u32) -> u32 {
        // The least gives way to the most: neither panics nor asks for more than is wanted, however it is configured.
        seconds.max(self.shortest).min(self.longest)
    }
}

/// The seconds that a running operation's answer asks for: the action's pace, a little later for some than for
/// others, so that those who started together do not ask together for ever. `dice` is random, from 0 up to 1.
pub(crate) fn paced(pace: Pace, bounds: Bounds, dice: f64) -> u32 {
    let Pace { seconds } = pace;
    // A tenth more or less. Whole seconds are all there is, so what is between two of them becomes either one, each as
    // often as the mean needs: rounded, a pace of a few seconds would be the same for all.
    let dice = dice.clamp(0.0, 1.0);
    let tenth = f64::from(seconds) / 10.0;
    let spread = f64::from(seconds) + tenth * (dice * 2.0 - 1.0);
    // The same throw once more: its first digits have chosen the place, those after them are as random.
    let up = (dice * 4096.0).fract() < spread.fract();
    bounds.hold((spread as u32).saturating_add(up.into()))
}

/// The seconds that an answer asks for which was held, or that has the outcome at hand.
pub(crate) fn soon(pace: Pace, bounds: Bounds) -> u32 {
    bounds.hold(pace.seconds.min(SOON))
}

/// The seconds that an answer asks for which refuses for lack of room (429, 503).
pub(crate) fn busy(dice: f64) -> u32 {
    // Logic Apps waits seven seconds of its own; the crowd that comes back is spread over about as many.
    3 + (dice.clamp(0.0, 1.0) * 5.0) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn those_who_started_together_are_spread() {
        let pace = |dice| paced(Pace { seconds: 60 }, Bounds::default(), dice);

        assert_eq!((pace(0.0), pace(0.5), pace(0.999)), (54, 60, 66));
    }

    #[test]
    fn a_pace_of_a_few_seconds_is_spread_too_and_kept_in_the_mean() {
        for (seconds, others) in [(2, 0.1), (5, 0.25)] {
            let throws = 100_000;
            let asked: Vec<u32> = (0..throws)
                .map(|throw| paced(Pace { seconds }, Bounds::default(), f64::from(throw) / f64::from(throws)))
                .collect();

            let share = |wanted: u32| {
                asked.iter().filter(|&&asked| asked == wanted).count() as f64 / f64::from(throws)
            };
            assert!((share(seconds) - (1.0 - others)).abs() < 0.01, "{seconds}");
            for beside in [seconds - 1, seconds + 1] {
                assert!((share(beside) - others / 2.0).abs() < 0.01, "{seconds}: {beside}");
            }
        }
    }

    #[test]
    fn no_time_at_all_is_asked_for_only_if_that_is_configured() {
        let test = Bounds { shortest: 0, longest: 600 };

        assert_eq!(paced(Pace { seconds: 0 }, Bounds::default(), 0.5), 1);
        assert_eq!(paced(Pace { seconds: 0 }, test, 0.5), 0);
        assert_eq!((soon(Pace { seconds: 0 }, test), soon(Pace { seconds: 30 }, test)), (0, 1));
    }

    proptest! {
        #[test]
        fn an_answer_asks_for_no_less_and_no_more_than_configured(
            seconds in any::<u32>(), shortest in 0_u32..10, longest in 10_u32..1_000, dice in 0.0..1.0,
        ) {
            let asked = paced(Pace { seconds }, Bounds { shortest, longest }, dice);

            prop_assert!((shortest..=longest).contains(&asked), "{asked}");
        }
    }
}
