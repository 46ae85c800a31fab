// SPDX-License-Identifier: Apache-2.0
//! Realism of the calm market against the stylised facts of ES: `calm SEED HOURS [KEY=VALUE ...]`.
use pretrade_records::Side;
use pretrade_venue::{Market, Parameters};

const S: i64 = 1_000_000_000;

fn quantile(v: &mut [f64], p: f64) -> f64 {
    v.sort_by(f64::total_cmp);
    v.get(((v.len() as f64 - 1.0) * p).round().max(0.0) as usize).copied().unwrap_or(f64::NAN)
}

fn autocorrelation(v: &[f64], lag: usize) -> f64 {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let var: f64 = v.iter().map(|x| (x - mean).powi(2)).sum();
    v.windows(lag + 1).map(|w| (w[0] - mean) * (w[lag] - mean)).sum::<f64>() / var
}

fn kurtosis(v: &[f64]) -> f64 {
    let n = v.len() as f64;
    let mean = v.iter().sum::<f64>() / n;
    let m2 = v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    v.iter().map(|x| (x - mean).powi(4)).sum::<f64>() / n / (m2 * m2) - 3.0
}

fn returns(mid: &[f64], step: usize) -> Vec<f64> {
    mid.iter().step_by(step).copied().collect::<Vec<_>>().windows(2).map(|w| w[1] - w[0]).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (seed, hours): (u64, f64) = (args[1].parse().unwrap(), args[2].parse().unwrap());
    let mut json = serde_json::to_value(Parameters::default()).unwrap();
    for kv in &args[3..] {
        let (k, v) = kv.split_once('=').unwrap();
        json[k] = serde_json::from_str(v).unwrap();
    }
    let begun = std::time::Instant::now();
    let mut m = Market::new(serde_json::from_value(json).unwrap(), seed, 0);
    let rows = (hours * 36_000.0) as usize;
    let (mut mid, mut imbalance, mut ratio, mut signs, mut gaps) = (vec![], vec![], vec![], vec![], vec![]);
    let mut depth: Vec<[f64; 2]> = Vec::new();
    let (mut events, mut trades, mut orders, mut adds, mut cancels, mut at_best) = (0u64, 0u64, 0u64, 0u64, 0u64, 0u64);
    let (mut spread_one, mut spread_three, mut last_sign, mut last_ts) = (0u64, 0u64, (0i64, 0u8), 0i64);
    let (mut base, mut held, mut high_rows, mut high_events, mut last_high) = ([f64::NAN; 2], 0, 0u64, 0u64, -1_000_000i64);
    let mut up = [[0u64; 2]; 5];
    let mut before: Option<(f64, f64)> = None;
    let mut busy = std::time::Duration::ZERO;
    for r in 0..rows {
        let t = std::time::Instant::now();
        m.run_until((r as i64 + 1) * S / 10);
        busy += t.elapsed();
        let touch = [m.engine.best_bid().unwrap_or(0), m.engine.best_ask().unwrap_or(0)];
        for e in &m.recorder.events {
            events += 1;
            match e.kind {
                1 => {
                    adds += 1;
                    orders += 1;
                    let tick = (e.price / 250_000_000) as i32;
                    at_best += u64::from(tick == touch[usize::from(e.side == 2)]);
                }
                3 => {
                    cancels += 1;
                    orders += 1;
                }
                7 => {
                    trades += 1;
                    if last_sign != (e.ts_event, e.side) {
                        signs.push(if e.side == 1 { 1.0 } else { -1.0 });
                        last_sign = (e.ts_event, e.side);
                    }
                }
                _ => {}
            }
            if e.ts_event != last_ts {
                gaps.push((e.ts_event - last_ts) as f64 / 1e9);
                last_ts = e.ts_event;
            }
        }
        m.recorder.events.clear();
        let d = [m.engine.depth(Side::Bid, 10) as f64, m.engine.depth(Side::Ask, 10) as f64];
        depth.push(d);
        let i = d[0] / (d[0] + d[1]);
        let spread = touch[1] - touch[0];
        spread_one += u64::from(spread == 1);
        spread_three += u64::from(spread >= 3);
        let now = f64::from(touch[0] + touch[1]) / 2.0;
        if let Some((was, l1)) = before
            && now != was
        {
            up[((l1 * 5.0) as usize).min(4)][usize::from(now > was)] += 1;
        }
        let l1 = [m.engine.size_at(touch[0]) as f64, m.engine.size_at(touch[1]) as f64];
        before = Some((now, l1[0] / (l1[0] + l1[1])));
        mid.push(now);
        imbalance.push(i);
        if r % 10 == 0 && r >= 3_000 {
            for s in 0..2 {
                base[s] = quantile(&mut depth[r - 3_000..r].iter().step_by(10).map(|d| d[s]).collect::<Vec<_>>(), 0.5);
            }
        }
        if !base[0].is_nan() {
            let q = [d[0] / base[0], d[1] / base[1]];
            ratio.push(q[0].min(q[1]));
            let high = (q[0] <= 0.35 && i <= 0.35) || (q[1] <= 0.35 && i >= 0.65) || (q[0] <= 0.35 && q[1] <= 0.35);
            held = if high { held + 1 } else { 0 };
            if held >= 5 {
                high_rows += 1;
                high_events += u64::from(r as i64 - last_high > 600);
                last_high = r as i64;
            }
        }
    }
    let n = rows as f64;
    println!(
        "{events} events, {:.0}/s simulated, {:.2} M events per second of simulation, {:.1} s in all",
        events as f64 / n * 10.0,
        events as f64 / busy.as_secs_f64() / 1e6,
        begun.elapsed().as_secs_f64()
    );
    println!(
        "1  spread = 1 tick {:.3} (.88-.99), >= 3 ticks {:.4}; price range {:.2} %",
        spread_one as f64 / n,
        spread_three as f64 / n,
        100.0 * (quantile(&mut mid.clone(), 1.0) / quantile(&mut mid.clone(), 0.0) - 1.0)
    );
    println!("3  T/O {:.3} (.03-.12)   4  cancels/adds {:.2} (.65-.95)", trades as f64 / orders as f64, cancels as f64 / adds as f64);
    println!("5  adds at best {:.2} (.45-.60)", at_best as f64 / adds as f64);
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let sd = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
    println!(
        "9  gap CV {:.2} (2.5-6)   10 sign acf {:.2} {:.2} (.2-.65, .05-.16)",
        sd / mean,
        autocorrelation(&signs, 1),
        autocorrelation(&signs, 10)
    );
    for (name, step) in [("1", 10), ("10", 100), ("60", 600)] {
        let r = returns(&mid, step);
        let size: Vec<f64> = r.iter().map(|x| x.abs()).collect();
        let sd = (r.iter().map(|x| x * x).sum::<f64>() / r.len() as f64).sqrt() / 1.92;
        println!(
            "11-14 {name:>2} s: acf {:.2}, kurtosis {:.1}, |r| acf(1) {:.2} acf(5) {:.2}, sd {sd:.3} bps",
            autocorrelation(&r, 1),
            kurtosis(&r),
            autocorrelation(&size, 1),
            autocorrelation(&size, 5)
        );
    }
    println!(
        "16 P(up) by fifth of touch imbalance {:?} (.30 .43 .54 .68 .82)",
        up.map(|u| (100.0 * u[1] as f64 / (u[0] + u[1]).max(1) as f64).round() / 100.0)
    );
    let q: Vec<String> = [0.0, 0.001, 0.01, 0.5].iter().map(|p| format!("{:.2}", quantile(&mut ratio, *p))).collect();
    println!("lower depth ratio min/.1%/1%/50%: {}; imbalance .1/1/50/99/99.9 %: {}", q.join(" "), {
        let v: Vec<String> = [0.001, 0.01, 0.5, 0.99, 0.999].iter().map(|p| format!("{:.2}", quantile(&mut imbalance, *p))).collect();
        v.join(" ")
    });
    println!("thin one-sided evidence: {high_rows} rows in {high_events} episodes; base {:.0} / {:.0}", base[0], base[1]);
}
