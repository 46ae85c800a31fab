// SPDX-License-Identifier: Apache-2.0
//! Invariant I2 under random records: whatever is published, no limit in force is looser than what humans signed, and
//! outside stage 0 never looser than the tighter of static and last good.
mod world;
use pretrade_gate::merge::Values;
use pretrade_records::LimitsRecord;
use pretrade_records::parameter::Parameter;
use proptest::prelude::*;
use world::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { quantity: i64, position: i64, standoff: i32, collar: u32, score: f32, epoch: u32, version_up: i64, mask: u32, flags: u8 },
    Corrupt,
    Pass { ns: i64, beat: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let score = prop_oneof![3 => 0.0f32..1.0, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 1 => Just(-1.0f32), 1 => Just(1e-40f32)];
    let quantity = prop_oneof![3 => 0i64..700, 1 => any::<i64>()];
    let publish =
        (quantity, any::<i64>(), -3i32..40, any::<u32>(), score, 0u32..3, -2i64..3, prop_oneof![4 => Just(u32::MAX), 1 => any::<u32>()], 0u8..16)
            .prop_map(|(quantity, position, standoff, collar, score, epoch, version_up, mask, flags)| Step::Publish {
                quantity,
                position,
                standoff,
                collar,
                score,
                epoch,
                version_up,
                mask,
                flags: flags & !1,
            });
    prop_oneof![4 => publish, 1 => Just(Step::Corrupt), 4 => (0i64..3_000_000_000, any::<bool>()).prop_map(|(ns, beat)| Step::Pass { ns, beat })]
}

fn looser(values: &Values, bound: &Values) -> Option<Parameter> {
    Parameter::ALL.iter().copied().find(|&p| p.is_looser(values[p as usize], bound[p as usize]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_record_loosens(steps in proptest::collection::vec(step(), 1..40)) {
        let mut block = open_static();
        (block.max_order_quantity, block.position_max_long, block.collar_ticks, block.passive_standoff_ticks) = (500, 5_000, 200, 0);
        let mut world = World::with(block, flat(), false);
        let statics: Values = std::array::from_fn(|i| block.get(Parameter::ALL[i]).unwrap());
        let now = world.now;
        world.gate().poll(now, now).unwrap();
        let mut last_good = world.gate().limits_in_force(ES).unwrap();
        for step in steps {
            match step {
                Step::Publish { quantity, position, standoff, collar, score, epoch, version_up, mask, flags } => {
                    let mut changed = block;
                    (changed.max_order_quantity, changed.position_max_long) = (quantity, position);
                    (changed.passive_standoff_ticks, changed.collar_ticks) = (standoff, collar);
                    let version = (world.version as i64 + version_up).max(0) as u64;
                    world.publish(LimitsRecord { score, epoch, valid_mask: mask, flags, ..record_of(&changed, version) });
                }
                Step::Corrupt => {
                    use std::os::unix::fs::FileExt;
                    let file = std::fs::OpenOptions::new().read(true).write(true).open(&world.files.limits).unwrap();
                    let length = file.metadata().unwrap().len();
                    // The last page holds the one record; its quantity becomes huge without a new checksum.
                    file.write_all_at(&(i64::MAX / 2).to_le_bytes(), length - 4096 + 56).unwrap();
                    let mut seq = [0; 4];
                    file.read_exact_at(&mut seq, length - 4096).unwrap();
                    // As a whole write would: the next even sequence, so that the gate reads it again.
                    file.write_all_at(&u32::from_le_bytes(seq).wrapping_add(2).to_le_bytes(), length - 4096).unwrap();
                }
                Step::Pass { ns, beat } => {
                    world.now += ns;
                    if beat { world.beat(); }
                }
            }
            let now = world.now;
            world.gate().poll(now, now).unwrap();
            let in_force = world.gate().limits_in_force(ES).unwrap();
            prop_assert_eq!(looser(&in_force, &statics), None, "looser than static");
            if world.gate().stage(ES) == Some(0) {
                last_good = in_force;
            } else {
                prop_assert_eq!(looser(&in_force, &last_good), None, "looser than last good");
            }
        }
    }
}
