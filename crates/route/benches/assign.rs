//! What choosing a version costs.

use divan::{Bencher, black_box};
use route::Routes;
use types::{
    Attributes, ModelId, ModelName, ModelTraffic, Percent, TrafficVersion, VersionKey, VersionName,
    VersionStatus,
};

fn main() {
    divan::main();
}

fn routes(versions: u32) -> Routes {
    let version = |n: u32| TrafficVersion {
        key: VersionKey(n.into()),
        model_id: ModelId::from_bits(n.into()),
        version: VersionName::parse(&n.to_string()).expect("a number is a name"),
        status: VersionStatus::Active,
        weight: Percent::new(f64::from(n % 7 + 1)).expect("from 1 to 7"),
        shadow: Percent::ZERO,
    };
    Routes::new(ModelTraffic {
        name: ModelName::parse("model").expect("a name"),
        revision: 1,
        epoch: 1,
        salt: "0123456789abcdef0123456789abcdef".into(),
        fallback: true,
        versions: (0..versions).map(version).collect(),
        rules: Vec::new(),
        experiment: None,
    })
}

#[divan::bench(args = [2, 4, 1000])]
fn without_unit(bencher: Bencher<'_, '_>, versions: u32) {
    let routes = routes(versions);
    let mut random = 1u64;
    bencher.bench_local(|| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        routes.assign(None, None, &Attributes::default(), black_box(random))
    });
}

#[divan::bench(args = [2, 4, 20])]
fn with_unit(bencher: Bencher<'_, '_>, versions: u32) {
    let routes = routes(versions);
    bencher.bench_local(|| {
        routes.assign(
            None,
            black_box(Some("user-123456")),
            &Attributes::default(),
            0,
        )
    });
}

#[divan::bench(args = [2, 1000])]
fn pinned(bencher: Bencher<'_, '_>, versions: u32) {
    let routes = routes(versions);
    let last = (versions - 1).to_string();
    bencher.bench_local(|| {
        routes.assign(
            black_box(Some(last.as_str())),
            None,
            &Attributes::default(),
            0,
        )
    });
}
