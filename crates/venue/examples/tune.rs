// SPDX-License-Identifier: Apache-2.0
//! First crossings of the story over many seeds, straight from the engine's book: `tune FROM TO [KEY=VALUE ...]`.
use pretrade_records::Side;
use pretrade_venue::{Market, Parameters};

const S: i64 = 1_000_000_000;
const START: i64 = 900 * S;
const END_S: i64 = 75;

fn median(v: &mut [f64]) -> f64 {
    v.sort_by(f64::total_cmp);
    if v.is_empty() { f64::NAN } else { v[v.len() / 2] }
}

fn quantiles(name: &str, n: usize, v: &mut [f64]) {
    v.sort_by(f64::total_cmp);
    let q = |p: f64| v.get(((v.len() as f64 - 1.0) * p).round().max(0.0) as usize).copied().unwrap_or(f64::NAN);
    println!("{name:26} {:4}/{n}  min {:6.2} p10 {:6.2} p50 {:6.2} p90 {:6.2} max {:6.2}", v.len(), q(0.0), q(0.1), q(0.5), q(0.9), q(1.0));
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (from, to): (u64, u64) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    let mut json = serde_json::to_value(Parameters::default()).unwrap();
    json["seller_start"] = serde_json::json!(START);
    for kv in &args[3..] {
        let (k, v) = kv.split_once('=').unwrap();
        json[k] = serde_json::from_str(v).unwrap();
    }
    let p: Parameters = serde_json::from_value(json).unwrap();
    let names = [
        "depth<50",
        "depth<35",
        "imb<.35&depth<35 .5s",
        "spread>=3 (1s med)",
        "crit evid",
        "-0.3%",
        "-1%",
        "-2%",
        "HIGH->CRIT gap",
        "HIGH->-1% lead",
        "CRIT->-2%",
    ];
    let mut out: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    let (mut events, mut falls, mut table) = (0u64, Vec::new(), vec![Vec::<[f64; 4]>::new(); 16]);
    let (mut one_tick, mut rows_calm, mut low_ratio, mut sim_s, mut low_imb) = (0u64, 0u64, f64::MAX, 0.0, f64::MAX);
    let (mut base_sum, mut trades, mut orders) = (0.0, 0u64, 0u64);
    let begun = std::time::Instant::now();
    for seed in from..to {
        let mut m = Market::new(p.clone(), seed, 0);
        let (mut depth, mut imb, mut mid, mut spread) = (vec![[0.0f64; 2]; 0], vec![], vec![], vec![]);
        let mut base = [f64::NAN; 2];
        let mut first = vec![f64::NAN; names.len()];
        let mut hold = 0;
        let mut mid0 = f64::NAN;
        let rows = (START / S + END_S) * 10;
        for r in 0..rows {
            m.run_until((r + 1) * S / 10);
            for e in &m.recorder.events {
                match e.kind {
                    7 => trades += 1,
                    1 | 3 => orders += 1,
                    _ => {}
                }
            }
            events += m.recorder.events.len() as u64;
            m.recorder.events.clear();
            let d = [m.engine.depth(Side::Bid, 10) as f64, m.engine.depth(Side::Ask, 10) as f64];
            depth.push(d);
            imb.push(d[0] / (d[0] + d[1]).max(1.0));
            let (b, a) = (m.engine.best_bid(), m.engine.best_ask());
            mid.push(match (b, a) {
                (Some(b), Some(a)) => f64::from(a + b) / 2.0,
                _ => *mid.last().unwrap_or(&f64::NAN),
            });
            spread.push(match (b, a) {
                (Some(b), Some(a)) => f64::from(a - b),
                _ => 99.0,
            });
            let n = depth.len();
            if n % 10 == 0 && n > 3100 {
                for s in 0..2 {
                    let mut w: Vec<f64> = depth[n - 3100..n - 100].iter().step_by(10).map(|d| d[s]).collect();
                    base[s] = median(&mut w);
                }
            }
            if base[0].is_nan() {
                continue;
            }
            let t = (r + 1) as f64 / 10.0 - (START / S) as f64;
            let ratio = [d[0] / base[0], d[1] / base[1]];
            if t <= 0.0 {
                rows_calm += 1;
                base_sum += base[0];
                if spread[n - 1] <= 1.0 {
                    one_tick += 1;
                }
                low_ratio = low_ratio.min(ratio[0].min(ratio[1]));
                low_imb = low_imb.min(imb[n - 1].min(1.0 - imb[n - 1]));
                mid0 = mid[n - 1];
            }
            let med = |v: &[f64]| {
                let mut w = v[n - 10..].to_vec();
                median(&mut w)
            };
            let i = imb[n - 1];
            let high = (ratio[0] <= 0.35 && i <= 0.35) || (ratio[1] <= 0.35 && i >= 0.65) || (ratio[0] <= 0.35 && ratio[1] <= 0.35);
            hold = if high { hold + 1 } else { 0 };
            let dm: Vec<f64> = depth[n - 10..].iter().map(|d| d[0] / base[0]).collect();
            let (mut dm1, im) = (dm.clone(), med(&imb));
            let dmed = median(&mut dm1);
            let mmed = med(&mid);
            let mut past = mid[n - 110..n - 100].to_vec();
            let move10 = mmed / median(&mut past) - 1.0;
            let crit = dmed <= 0.25 && im <= 0.30 && move10 <= -0.003;
            let mut mark = |k: usize, c: bool| {
                if c && first[k].is_nan() {
                    first[k] = t
                }
            };
            mark(0, ratio[0] < 0.5);
            mark(1, ratio[0] < 0.35);
            mark(2, hold >= 5);
            mark(3, med(&spread) >= 3.0);
            mark(4, crit);
            if t > 0.0 {
                mark(5, mmed / mid0 - 1.0 <= -0.003);
                mark(6, mmed / mid0 - 1.0 <= -0.01);
                mark(7, mmed / mid0 - 1.0 <= -0.02);
            }
            if t > -0.05 && (t / 5.0).fract() < 0.01 {
                let k = (t / 5.0).round() as usize;
                if k < 16 {
                    table[k].push([dmed, im, med(&spread), 100.0 * (mmed / mid0 - 1.0)]);
                }
            }
            if (t - 60.0).abs() < 0.05 {
                falls.push(100.0 * (mmed / mid0 - 1.0));
            }
        }
        sim_s += rows as f64 / 10.0;
        first[8] = first[4] - first[2];
        first[9] = first[6] - first[2];
        first[10] = first[7] - first[4];
        for (k, f) in first.iter().enumerate() {
            if !f.is_nan() {
                out[k].push(*f);
            }
        }
    }
    let n = (to - from) as usize;
    for (k, name) in names.iter().enumerate() {
        quantiles(name, n, &mut out[k]);
    }
    quantiles("fall at T+60 %", n, &mut falls);
    println!("   t  depth  imb  spread  price%   (medians)");
    for (k, rows) in table.iter().enumerate() {
        let col = |c: usize| {
            let mut v: Vec<f64> = rows.iter().map(|r| r[c]).collect();
            median(&mut v)
        };
        println!("{:4} {:6.2} {:5.2} {:6.1} {:7.2}", k * 5, col(0), col(1), col(2), col(3));
    }
    let wall = begun.elapsed().as_secs_f64();
    println!(
        "calm: spread=1 {:.3}, lowest depth ratio {low_ratio:.2}, lowest imbalance {low_imb:.2}, base {:.0}, T/O {:.3}; {:.0} events/s simulated, {:.2} M events/s, {:.0} sim s/s",
        one_tick as f64 / rows_calm as f64,
        base_sum / rows_calm as f64,
        trades as f64 / orders as f64,
        events as f64 / sim_s,
        events as f64 / wall / 1e6,
        sim_s / wall
    );
}
