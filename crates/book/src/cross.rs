// SPDX-License-Identifier: Apache-2.0
//! What one instrument does beside the others of its group: factor and residual returns, beta, correlation, lead and lag,
//! and the term structure of a volatility index. Undefined is never a number: a member without a sound, fresh mid has no return.
use crate::features::Feature;
use crate::row::Row;
use crate::state;
use crate::window::Ring;

/// Grid rows of one second, and the longest lag looked at.
const W_1S: usize = 10;
const LAGS: usize = 20;
/// EWMA weights of one observation: half-life five minutes, of seconds and of grid rows.
const HALF_LIFE_SECONDS: f64 = 300.0;
const HALF_LIFE_ROWS: f64 = 3_000.0;
/// Observations before a moment is told: one minute.
const LEAST_SECONDS: u64 = 60;
const LEAST_ROWS: u64 = 600;
/// A figure older than a long weekend, or two that were not published together, make no ratio.
const FIGURE_LIFE_NS: i64 = 5 * 86_400 * 1_000_000_000;
const FIGURE_APART_NS: i64 = 12 * 3_600 * 1_000_000_000;

/// A group of instruments, as the engine needs it.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// Instrument ids.
    pub members: Vec<u32>,
    /// The member whose return is the factor; of that member itself, and where absent, it is the mean of the others.
    pub factor: Option<u32>,
    /// The member whose returns lead the others.
    pub leader: Option<u32>,
    /// Ids under which the near and the far volatility index are published.
    pub volatility: Option<(u32, u32)>,
}

/// What a member shows at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Logarithm of the mid; NaN where there is no sound and fresh one.
    pub log: f64,
    /// When its price was last heard, ns UTC.
    pub ts: i64,
}

/// Second moments of one-second returns against the factor's, the newest weighing most.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    own: f64,
    factor: f64,
    both: f64,
    n: u64,
}

state!(Moments { own, factor, both, n });

impl Moments {
    fn push(&mut self, own: f64, factor: f64) {
        let keep = (-core::f64::consts::LN_2 / HALF_LIFE_SECONDS).exp();
        self.own = keep * self.own + own * own;
        self.factor = keep * self.factor + factor * factor;
        self.both = keep * self.both + own * factor;
        self.n += 1;
    }

    /// NaN where not yet known, or where the factor never moved.
    fn beta(&self) -> f64 {
        if self.n >= LEAST_SECONDS { self.both / self.factor } else { f64::NAN }
    }

    fn correlation(&self) -> f64 {
        if self.n >= LEAST_SECONDS { self.both / (self.own * self.factor).sqrt() } else { f64::NAN }
    }
}

/// Products of a member's return with the leader's, by how many rows the leader was ahead.
#[derive(Clone, Debug, Default)]
struct Lead {
    both: [f64; LAGS + 1],
    n: u64,
}

state!(Lead { both, n });

impl Lead {
    fn push(&mut self, own: f64, leader: &[f64; LAGS + 1]) {
        let keep = (-core::f64::consts::LN_2 / HALF_LIFE_ROWS).exp();
        for (both, r) in self.both.iter_mut().zip(leader) {
            *both = keep * *both + own * r;
        }
        self.n += 1;
    }

    /// Lag with the largest product in size, the shortest of equals; `None` where not yet known or nothing moved.
    fn lag(&self) -> Option<usize> {
        let mut best = 0;
        for k in 1..=LAGS {
            if self.both[k].abs() > self.both[best].abs() {
                best = k;
            }
        }
        (self.n >= LEAST_ROWS && self.both[best] != 0.0).then_some(best)
    }
}

#[derive(Clone, Debug)]
struct Member {
    logs: Ring<f64>,
    moments: Moments,
    betas: Ring<f64>,
    lead: Lead,
    ts: i64,
}

state!(Member { logs, moments, betas, lead, ts });

impl Member {
    fn new() -> Self {
        Self { logs: Ring::new(W_1S + LAGS + 1), moments: Moments::default(), betas: Ring::new(2), lead: Lead::default(), ts: 0 }
    }

    /// Logarithm of the mid `back` rows ago, NaN where unknown.
    fn log(&self, back: usize) -> f64 {
        self.logs.ago(back).unwrap_or(f64::NAN)
    }

    fn step(&self, back: usize) -> f64 {
        self.log(back) - self.log(back + 1)
    }
}

/// A published figure and when it was heard.
#[derive(Clone, Copy, Debug, Default)]
struct Figure {
    value: i64,
    ts_event: i64,
    ts: i64,
    heard: bool,
}

state!(Figure { value, ts_event, ts, heard });

/// State of one group.
#[derive(Clone, Debug)]
pub struct Group {
    spec: GroupSpec,
    factor: Option<usize>,
    leader: Option<usize>,
    members: Vec<Member>,
    figures: [Figure; 2],
}

impl state::State for Group {
    fn write(&self, out: &mut Vec<u8>) {
        self.members.iter().for_each(|m| m.write(out));
        self.figures.write(out);
    }
    fn read(&mut self, from: &mut state::Reader<'_>) -> Result<(), state::StateError> {
        self.members.iter_mut().try_for_each(|m| m.read(from))?;
        self.figures.read(from)
    }
}

impl Group {
    /// A group of which nothing was seen.
    #[must_use]
    pub fn new(spec: GroupSpec) -> Self {
        let at = |id: Option<u32>| id.and_then(|id| spec.members.iter().position(|m| *m == id));
        Self {
            factor: at(spec.factor),
            leader: at(spec.leader),
            members: spec.members.iter().map(|_| Member::new()).collect(),
            figures: Default::default(),
            spec,
        }
    }

    /// Its declaration.
    #[must_use]
    pub fn spec(&self) -> &GroupSpec {
        &self.spec
    }

    /// Hears a figure published under `id` at receive time `ts`; true where it is one of this group's.
    pub fn hear(&mut self, id: u32, value: i64, ts_event: i64, ts: i64) -> bool {
        let Some((near, far)) = self.spec.volatility else { return false };
        let figure = Figure { value, ts_event, ts, heard: true };
        for (mine, slot) in [near, far].into_iter().zip(&mut self.figures) {
            if mine == id {
                *slot = figure;
            }
        }
        id == near || id == far
    }

    /// Restates where a member's price stood, for `ratio` new shares per old one.
    pub fn split(&mut self, id: u32, ratio: f64) {
        if let Some(member) = self.spec.members.iter().position(|m| *m == id) {
            self.members[member].logs.replace(|log| log - ratio.ln());
        }
    }

    /// Forgets where prices stood, as where a recording ends; what was learned of them stays.
    pub fn lose(&mut self) {
        self.members.iter_mut().for_each(|m| m.logs.clear());
    }

    /// Moves on by one grid row, `seen` in the order of the members.
    pub fn advance(&mut self, seen: &[Seen], is_second: bool) {
        for (member, seen) in self.members.iter_mut().zip(seen) {
            member.logs.push(seen.log);
            member.ts = seen.ts;
        }
        self.follow_leader();
        if is_second {
            let returns: Vec<f64> = self.members.iter().map(|m| m.log(0) - m.log(W_1S)).collect();
            for i in 0..self.members.len() {
                let factor = self.factor_of(i, &returns);
                let member = &mut self.members[i];
                if returns[i].is_finite() && factor.is_finite() {
                    member.moments.push(returns[i], factor);
                }
                member.betas.push(member.moments.beta());
            }
        }
    }

    fn follow_leader(&mut self) {
        let Some(leader) = self.leader else { return };
        let ahead: [f64; LAGS + 1] = core::array::from_fn(|k| self.members[leader].step(k));
        if ahead.iter().all(|r| r.is_finite()) {
            for member in &mut self.members {
                let own = member.step(0);
                if own.is_finite() {
                    member.lead.push(own, &ahead);
                }
            }
        }
    }

    /// The factor of member `i` out of what all did: the named member's, or the mean of the others that are defined; else NaN.
    fn factor_of(&self, i: usize, of: &[f64]) -> f64 {
        match self.factor {
            Some(factor) if factor != i => of[factor],
            _ => {
                let others = || of.iter().enumerate().filter(|(j, r)| *j != i && r.is_finite());
                others().map(|(_, r)| r).sum::<f64>() / others().count() as f64
            }
        }
    }

    /// Fills in the row of member `i` at `ts`; between grid points `now` is what each member shows then, and windows begin a
    /// second before the last grid point.
    pub fn values(&self, i: usize, ts: i64, now: Option<&[Seen]>, row: &mut Row) {
        let member = &self.members[i];
        let log = |j: usize| now.map_or_else(|| self.members[j].log(0), |seen| seen[j].log);
        let returns: Vec<f64> = (0..self.members.len()).map(|j| 100.0 * (log(j) - self.members[j].log(W_1S))).collect();
        let factor = self.factor_of(i, &returns);
        row.set(Feature::FactorReturn1s, factor);
        // The loading known when the window began: what happens in it does not explain itself.
        row.set_some(Feature::ResidualReturn1s, member.betas.ago(1).map(|beta| returns[i] - beta * factor));
        row.set(Feature::Beta5m, member.moments.beta());
        row.set(Feature::Corr5m, member.moments.correlation());
        if let (Some(leader), Some(lag)) = (self.leader.filter(|l| *l != i), member.lead.lag()) {
            let leader = &self.members[leader];
            row.set(Feature::LeaderReturn, 100.0 * (leader.log(lag) - leader.log(lag + W_1S)));
        }
        let heard = |j: usize| now.map_or(self.members[j].ts, |seen| seen[j].ts);
        let oldest = match self.factor {
            Some(factor) if factor != i => heard(factor),
            _ => (0..self.members.len()).filter(|j| *j != i && returns[*j].is_finite()).map(heard).min().unwrap_or(0),
        };
        row.set_if(Feature::FactorAgeMs, oldest > 0, (ts - oldest) as f64 / 1e6);
        row.set_some(Feature::VixRatio, self.ratio(ts));
    }

    /// Near over far volatility index as last published; `None` where one is unheard of, old, or of another publication.
    fn ratio(&self, ts: i64) -> Option<f64> {
        let [near, far] = &self.figures;
        let is_known = self.figures.iter().all(|f| f.heard && ts - f.ts <= FIGURE_LIFE_NS);
        let is_one = (near.ts_event - far.ts_event).abs() <= FIGURE_APART_NS;
        (is_known && is_one && far.value > 0).then(|| near.value as f64 / far.value as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(factor: Option<u32>) -> Group {
        Group::new(GroupSpec { members: vec![1, 2, 3], factor, leader: Some(1), volatility: Some((90, 91)) })
    }

    fn row() -> Row {
        bytemuck::Zeroable::zeroed()
    }

    fn get(row: &Row, feature: Feature) -> Option<f64> {
        (row.valid >> feature as usize & 1 == 1).then(|| row.values[feature as usize])
    }

    /// Two minutes in which 2 does three rows later what 1 does, at twice the size; 3 stands still.
    fn led() -> Group {
        let mut group = group(Some(1));
        let mut x = 1u64;
        let (mut log, mut moves) = (0.0, Vec::new());
        for i in 1..=1_200u32 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            moves.push((x >> 40) as f64 / 1e12 - 8e-6);
            log += moves[moves.len() - 1];
            let late: f64 = moves.iter().rev().skip(3).map(|m| 2.0 * m).sum();
            let seen = [log, late, 1.0].map(|log| Seen { log, ts: i64::from(i) });
            group.advance(&seen, i % 10 == 0);
        }
        group
    }

    #[test]
    fn the_lag_of_the_leader_is_found_and_its_return_taken_there() {
        let group = led();
        assert_eq!((group.members[1].lead.lag(), group.members[2].lead.lag()), (Some(3), None));
        let mut row = row();
        group.values(1, 1_200, None, &mut row);
        let expected = 100.0 * (group.members[0].log(3) - group.members[0].log(13));
        assert_eq!(get(&row, Feature::LeaderReturn), Some(expected));
        let own = 100.0 * (group.members[1].log(0) - group.members[1].log(10));
        assert!((own - 2.0 * expected).abs() < 1e-9, "what the leader did three rows ago is what this one does now");
    }

    #[test]
    fn a_member_without_a_price_has_no_return_and_is_no_part_of_the_mean() {
        let mut group = group(None);
        for i in 0..11 {
            let seen = [f64::from(i), f64::NAN, 3.0 * f64::from(i)].map(|log| Seen { log, ts: 5 });
            group.advance(&seen, false);
        }
        let mut first = row();
        group.values(0, 7, None, &mut first);
        assert_eq!(get(&first, Feature::FactorReturn1s), Some(3_000.0));
        let mut second = row();
        group.values(1, 7, None, &mut second);
        assert_eq!((get(&second, Feature::FactorReturn1s), get(&second, Feature::ResidualReturn1s)), (Some(2_000.0), None));
    }

    #[test]
    fn a_ratio_needs_two_figures_of_one_publication_that_are_not_old() {
        let mut group = group(None);
        let hour = 3_600_000_000_000;
        assert!(group.hear(90, 20, 0, 0) && !group.hear(7, 1, 0, 0));
        assert_eq!(group.ratio(1), None);
        group.hear(91, 25, 11 * hour, 11 * hour);
        assert_eq!(group.ratio(12 * hour), Some(0.8));
        assert_eq!(group.ratio(121 * hour), None);
        group.hear(91, 25, 13 * hour, 13 * hour);
        assert_eq!(group.ratio(13 * hour), None);
    }
}
