#!/usr/bin/env python3
r"""Weir's test values, recomputed with the libraries that people use for the same methods.

`crates/judge/tests/data/oracles.json` holds inputs and expected values. The test

    cargo test -p judge --test oracles

is what binds those values to Weir's code: it fails when a function of the judge gives anything else.
This script does the other half. It gives the same inputs to gbstats, confseq, savvi, obp, statsmodels
and scipy, and prints how far their answers are from the values. It does not run Weir.

Not every value has a peer: rules that are Weir's own, and plain formulas that none of these libraries
offers as a function, are left out. For a few methods no library has the method but scipy has the
quadrature or the root finder; those rows say "the definition".

Install (Python 3.11; confseq is compiled, and needs a C++ compiler and Boost, `apt install g++ libboost-dev`):

    pip install gbstats==0.8.0 savvi==0.2.0 statsmodels==0.15.0 scipy==1.17.1 scikit-learn==1.9.1 \
        setuptools==65.5.0 wheel==0.48.0 scikit-build==0.19.1 cmake==4.4.5 ninja==1.13.2 pybind11==2.11.2 \
      && pip install --no-build-isolation confseq==0.0.11 \
      && pip install --no-deps --ignore-requires-python obp==0.5.7

confseq's own build takes a pybind11 that does not go with Python 3.11, and obp asks for Python below
3.10 and for torch, which nothing here needs; hence the flags.

Run:

    python3 bench/agreement.py

A library that is missing gets one row that says so. The exit status is 1 when a value disagrees.
"""

import fnmatch
import importlib
import importlib.metadata
import importlib.util
import json
import math
import sys
import types
import warnings
from pathlib import Path

ORACLES = Path(__file__).resolve().parent.parent / "crates/judge/tests/data/oracles.json"
LIBRARIES = ["gbstats", "confseq", "savvi", "obp", "statsmodels", "scipy"]
ROWS = []


def row(library, function, method, *patterns):
    """Registers a function from an oracle's inputs to the values that the library gives, by name."""

    def register(compute):
        ROWS.append((library, function, method, patterns, compute))
        return compute

    return register


# gbstats: Welch's test and its relatives.


def proportions(i):
    from gbstats.models.statistics import ProportionStatistic

    return (
        ProportionStatistic(n=i["n_a"], sum=i["x_a"]),
        ProportionStatistic(n=i["n_b"], sum=i["x_b"]),
    )


def mean_statistic(n, total, squares):
    from gbstats.models.statistics import SampleMeanStatistic

    return SampleMeanStatistic(n=n, sum=total, sum_squares=squares)


def means(i):
    # gbstats wants sums; Σy² = (n − 1) sd² + n mean².
    def arm(n, mean, sd):
        return mean_statistic(n, n * mean, (n - 1) * sd**2 + n * mean**2)

    return arm(i["n_a"], i["mean_a"], i["sd_a"]), arm(i["n_b"], i["mean_b"], i["sd_b"])


def arms(i):
    return means(i) if "mean_a" in i else proportions(i)


def welch(a, b, alpha, difference):
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest

    test = TwoSidedTTest(a, b, FrequentistConfig(difference_type=difference, alpha=alpha))
    result = test.compute_result()
    return {
        "estimate": result.expected,
        "se": result.uplift.stddev,
        "df": test.dof,
        "t": test.critical_value,
        "p": result.p_value,
        "lower": result.ci[0],
        "upper": result.ci[1],
    }


@row("gbstats", "TwoSidedTTest", "Welch's test, absolute difference", "ttest-prop-absolute", "welch-means")
def welch_absolute(i):
    return welch(*arms(i), i["alpha"], "absolute")


@row("gbstats", "TwoSidedTTest, relative", "Welch's test, relative lift (delta method)",
     "ttest-prop-relative", "welch-means-relative")
def welch_relative(i):
    return welch(*arms(i), i["alpha"], "relative")


def sequential(i, difference):
    from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest

    config = SequentialConfig(
        difference_type=difference, alpha=i["alpha"], sequential_tuning_parameter=i["n_star"]
    )
    result = SequentialTwoSidedTTest(*arms(i), config).compute_result()
    return {
        "estimate": result.expected,
        "se": result.uplift.stddev,
        "lower": result.ci[0],
        "upper": result.ci[1],
        "p": result.p_value,
        # gbstats has p = min(1, 1/E); it is below 1 in every case here.
        "ln_e": -math.log(result.p_value),
    }


@row("gbstats", "SequentialTwoSidedTTest", "asymptotic confidence sequence and p, absolute",
     "asympcs-prop-absolute-*", "asympcs-welch-*")
def sequential_absolute(i):
    return sequential(i, "absolute")


@row("gbstats", "SequentialTwoSidedTTest, relative", "asymptotic confidence sequence and p, relative",
     "asympcs-prop-relative-*")
def sequential_relative(i):
    return sequential(i, "relative")


@row("gbstats", "SequentialTwoSidedTTest.rho", "mixture parameter ρ", "rho-two-sided-*", "rho-one-sided-*")
def rho(i):
    from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest

    # The one-sided ρ is the two-sided one at 2α. The data play no part in ρ.
    alpha = i["alpha"] * (2 if i["sided"] == 1 else 1)
    config = SequentialConfig(alpha=alpha, sequential_tuning_parameter=i["n_star"])
    some = mean_statistic(2, 1, 1)
    value = SequentialTwoSidedTTest(some, some, config).rho
    return {"rho": value, "rho2_n_star": value**2 * i["n_star"]}


@row("gbstats", "RegressionAdjustedStatistic, TwoSidedTTest", "CUPED", "cuped-adjusted")
def cuped(i):
    from gbstats.models.statistics import RegressionAdjustedStatistic

    def arm(s):
        return RegressionAdjustedStatistic(
            n=s["n"],
            post_statistic=mean_statistic(s["n"], s["sum_y"], s["sum_yy"]),
            pre_statistic=mean_statistic(s["n"], s["sum_x"], s["sum_xx"]),
            post_pre_sum_of_products=s["sum_xy"],
            theta=0,  # the test sets it, from both arms
        )

    a, b = arm(i["a"]), arm(i["b"])
    result = welch(a, b, i["alpha"], "absolute")
    return result | {"theta": a.theta, "variance_a": a.variance, "variance_b": b.variance}


@row("gbstats", "SampleMeanStatistic, TwoSidedTTest", "the same data without CUPED", "cuped-unadjusted")
def no_cuped(i):
    a, b = (mean_statistic(i[s]["n"], i[s]["sum_y"], i[s]["sum_yy"]) for s in "ab")
    return welch(a, b, i["alpha"], "absolute") | {"variance_a": a.variance, "variance_b": b.variance}


def ratio(i, difference):
    from gbstats.models.statistics import RatioStatistic

    def arm(s):
        return RatioStatistic(
            n=s["n"],
            m_statistic=mean_statistic(s["n"], s["sum_m"], s["sum_mm"]),
            d_statistic=mean_statistic(s["n"], s["sum_d"], s["sum_dd"]),
            m_d_sum_of_products=s["sum_md"],
        )

    a, b = arm(i["a"]), arm(i["b"])
    variances = {"unit_variance_a": a.variance, "unit_variance_b": b.variance}
    return welch(a, b, i["alpha"], difference) | variances


@row("gbstats", "RatioStatistic, TwoSidedTTest", "ratio metric (delta method), absolute", "ratio-absolute")
def ratio_absolute(i):
    return ratio(i, "absolute")


@row("gbstats", "RatioStatistic, TwoSidedTTest, relative", "ratio metric (delta method), relative",
     "ratio-relative")
def ratio_relative(i):
    return ratio(i, "relative")


def quantile_test(i, widen):
    from gbstats.models.statistics import QuantileStatistic

    def arm(hat, lower, upper):
        # gbstats uses only upper − lower.
        return QuantileStatistic(
            n=i["n"], n_star=i["n"], nu=i["nu"], quantile_hat=hat,
            quantile_lower=lower, quantile_upper=lower + (upper - lower) * widen,
        )

    return welch(arm(*i["a"]), arm(*i["b"]), i["alpha"], "absolute")


@row("gbstats", "QuantileStatistic, TwoSidedTTest", "quantile difference", "quantile-p95-gbstats")
def quantile_gbstats(i):
    return quantile_test(i, 1)


@row("gbstats", "QuantileStatistic, TwoSidedTTest", "quantile difference, variance without (n − 1)/n",
     "quantile-p95-plain")
def quantile_plain(i):
    # gbstats multiplies the variance by (n − 1)/n; a width greater by √(n/(n − 1)) takes that out.
    return quantile_test(i, math.sqrt(i["n"] / (i["n"] - 1)))


@row("gbstats", "QuantileStatistic, TwoSidedTTest", "smallest n for a quantile test", "quantile-min-n-*")
def quantile_smallest_n(i):
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import QuantileStatistic

    # gbstats refuses a sample that is too small. It has α = .05 built in.
    def refused(n):
        some = QuantileStatistic(n, n, i["nu"], 2.0, 1.0, 3.0)
        return TwoSidedTTest(some, some, FrequentistConfig()).compute_result().error_message

    return {"n_min": next(n for n in range(2, 10_000) if not refused(n))}


@row("gbstats", "check_srm", "χ² test of the split", "srm-chi2-*")
def srm_gbstats(i):
    from gbstats.utils import check_srm

    return {"p": check_srm(i["counts"], i["weights"])}


def bayes_normal(i, difference):
    from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig, GaussianPrior

    # "relative" says of the prior that it is about the lift; gbstats rescales it for a difference.
    prior = GaussianPrior(i["prior_mean"], i["prior_sd"] ** 2, True) if "prior_sd" in i else GaussianPrior()
    config = EffectBayesianConfig(
        difference_type=difference, alpha=i["alpha"], prior_effect=prior, prior_type="relative"
    )
    result = EffectBayesianABTest(*proportions(i), config).compute_result()
    return {
        "chance_to_win": result.chance_to_win,
        "mean": result.expected,
        "sd": result.uplift.stddev,
        "lower": result.ci[0],
        "upper": result.ci[1],
        # The risks are of choosing A and of choosing B.
        "loss_a": result.risk[0],
        "loss_b": result.risk[1],
    }


@row("gbstats", "EffectBayesianABTest", "normal posterior of a difference: chance to win, interval, losses",
     "bayes-normal-*-absolute")
def bayes_absolute(i):
    return bayes_normal(i, "absolute")


@row("gbstats", "EffectBayesianABTest, relative", "normal posterior of a relative lift: the same",
     "bayes-normal-*-relative")
def bayes_relative(i):
    return bayes_normal(i, "relative")


# confseq: sequences that hold at every look.


@row("confseq", "boundaries.normal_mixture_bound", "two-sided normal mixture bound", "normal-mixture-bound-*")
def mixture_bound(i):
    from confseq.boundaries import normal_mixture_bound

    return {"bound": normal_mixture_bound(i["v"], i["alpha"], i["v_opt"], i["alpha_opt"], False)}


def log_mixture(i, one_sided):
    from confseq.boundaries import normal_log_mixture

    return {"ln_e": normal_log_mixture(i["s"], i["v"], i["v_opt"], i["alpha_opt"], one_sided)}


@row("confseq", "boundaries.normal_log_mixture", "ln E of the two-sided normal mixture",
     "normal-log-mixture-two-sided")
def log_mixture_two_sided(i):
    return log_mixture(i, False)


@row("confseq", "boundaries.normal_log_mixture", "ln E of the one-sided normal mixture",
     "normal-log-mixture-one-sided*")
def log_mixture_one_sided(i):
    return log_mixture(i, True)


def scaled(n, difference, se):
    # confseq has the sum S of n values of variance 1; a difference with standard error se has
    # σ = se √n, so S = n · difference / σ.
    return math.sqrt(n) * difference / se


def difference_and_se(i):
    if "mean_a" in i:
        difference = i["mean_b"] - i["mean_a"]
        variance = i["sd_a"] ** 2 / i["n_a"] + i["sd_b"] ** 2 / i["n_b"]
    else:
        a, b = i["x_a"] / i["n_a"], i["x_b"] / i["n_b"]
        difference, variance = b - a, a * (1 - a) / i["n_a"] + b * (1 - b) / i["n_b"]
    return difference, math.sqrt(variance)


@row("confseq", "boundaries.normal_mixture_bound, normal_log_mixture",
     "asymptotic confidence sequence and p, absolute", "asympcs-prop-absolute-*", "asympcs-welch-*")
def asymptotic(i):
    from confseq.boundaries import normal_log_mixture, normal_mixture_bound

    difference, se = difference_and_se(i)
    n = i["n_a"] + i["n_b"]
    half = normal_mixture_bound(n, i["alpha"], i["n_star"], i["alpha"], False) / n * se * math.sqrt(n)
    ln_e = normal_log_mixture(scaled(n, difference, se), n, i["n_star"], i["alpha"], False)
    return {"lower": difference - half, "upper": difference + half, "p": min(1, math.exp(-ln_e)), "ln_e": ln_e}


@row("confseq", "boundaries.normal_log_mixture", "asymptotic one-sided e-value", "asympcs-one-sided-*")
def asymptotic_one_sided(i):
    from confseq.boundaries import normal_log_mixture

    n = i["n_a"] + i["n_b"]
    s = scaled(n, *difference_and_se(i))
    ln_e = normal_log_mixture(s, n, i["n_star"], i["alpha"], True)
    return {"ln_e": ln_e, "e": math.exp(ln_e), "p_from_e": math.exp(-ln_e)}


@row("confseq", "boundaries.normal_log_mixture", "one-sided e-values over the steps of a rollout",
     "stage-product-*")
def stage_product(i):
    from confseq.boundaries import normal_log_mixture

    stages = [
        normal_log_mixture(
            scaled(s["n"], s["delta"] - i["margin"], s["se"]), s["n"], i["n_star"], i["alpha"], True
        )
        for s in i["stages"]
    ]
    return {"ln_e_stages": stages, "ln_e": sum(stages)}


@row("confseq", "boundaries.normal_mixture_bound", "width of the sequence against a fixed interval",
     "cs-ci-width-ratio-*")
def width_ratio(i):
    from confseq.boundaries import normal_mixture_bound
    from statistics import NormalDist

    # On the sum scale a fixed interval is z √n wide.
    z = NormalDist().inv_cdf(1 - i["alpha"] / 2)
    bound = normal_mixture_bound(i["n"], i["alpha"], i["n_star"], i["alpha"], False)
    return {"ratio": bound / (z * math.sqrt(i["n"]))}


@row("confseq", "boundaries.normal_mixture_bound", "TensorZero's margin", "tensorzero-margin-*")
def tensorzero_margin(i):
    from confseq.boundaries import normal_mixture_bound

    # TensorZero gives ρ², confseq wants the v at which the bound is tightest:
    # 1/ρ² = v_opt / (2 ln(1/α) + ln(1 + 2 ln(1/α))). The margin is the bound on the sum over n.
    two_logs = 2 * math.log(1 / i["alpha"])
    v_opt = (two_logs + math.log(1 + two_logs)) / i["rho2"]
    bound = normal_mixture_bound(i["n"] * i["variance"], i["alpha"], v_opt, i["alpha"], False)
    return {"margin": bound / i["n"]}


def pattern(i, n=None):
    import numpy

    n = n or i["n"]
    repeated = i["x_pattern"] * (n // len(i["x_pattern"]) + 1)
    return numpy.array(repeated[:n], dtype=float)


@row("confseq", "betting_strategies.lambda_predmix_eb", "predictable bets", "betting-lambdas")
def bets(i):
    from confseq.betting_strategies import lambda_predmix_eb

    # Each of the two sides bets at α/2.
    return {"lambdas": list(lambda_predmix_eb(pattern(i, len(i["t"])), alpha=i["alpha"] / 2))}


@row("confseq", "betting.betting_mart", "ln of the hedged capital", "hedged-capital-*")
def hedged_capital(i):
    from confseq.betting import betting_mart

    return {"ln_k": math.log(betting_mart(pattern(i), i["m"], alpha=i["alpha"])[-1])}


@row("confseq", "betting.betting_mart (its roots), betting_cs, hedged_cs", "hedged betting sequence",
     "hedged-cs-*")
def hedged(i):
    from confseq.betting import betting_cs, betting_mart, hedged_cs
    from scipy.optimize import brentq

    x, alpha = pattern(i), i["alpha"]

    # The exact ends are where the capital is 1/α; confseq itself looks on a grid.
    def above(m):
        return math.log(betting_mart(x, m, alpha=alpha)[-1] * alpha)

    mean = x.mean()
    lower, upper = betting_cs(x, alpha=alpha, breaks=i["breaks"])
    running_lower, running_upper = hedged_cs(x, alpha=alpha, breaks=i["breaks"])
    return {
        "exact_lower": brentq(above, 1e-6, mean, xtol=1e-15),
        "exact_upper": brentq(above, mean, 1 - 1e-6, xtol=1e-15),
        "grid_lower": lower[-1],
        "grid_upper": upper[-1],
        "grid_running_lower": running_lower[-1],
        "grid_running_upper": running_upper[-1],
    }


def last(sequence):
    return {"lower": sequence[0][-1], "upper": sequence[1][-1]}


@row("confseq", "predmix.predmix_empbern_twosided_cs", "empirical Bernstein sequence", "predmix-eb-*")
def empirical_bernstein(i):
    from confseq.predmix import predmix_empbern_twosided_cs

    return last(predmix_empbern_twosided_cs(pattern(i), alpha=i["alpha"]))


@row("confseq", "predmix.predmix_hoeffding_cs", "Hoeffding sequence", "predmix-hoeffding-*")
def hoeffding(i):
    from confseq.predmix import predmix_hoeffding_cs

    return last(predmix_hoeffding_cs(pattern(i), alpha=i["alpha"]))


@row("confseq", "boundaries.bernoulli_confidence_interval", "exact Bernoulli sequence", "bernoulli-cs-*")
def bernoulli(i):
    from confseq.boundaries import bernoulli_confidence_interval

    lower, upper = bernoulli_confidence_interval(i["x"], i["n"], i["alpha"], i["t_opt"], i["alpha_opt"])
    return {"lower": lower, "upper": upper}


@row("confseq", "quantiles.double_stitching_bound", "bound for all quantiles (double stitching)",
     "double-stitching-*")
def double_stitching(i):
    from confseq.quantiles import double_stitching_bound

    names = ["quantile_p", "t", "alpha", "t_opt", "delta", "s", "eta"]
    return {"bound": double_stitching_bound(*(i[name] for name in names))}


@row("confseq", "quantiles.empirical_process_lil_bound", "bound for a distribution function",
     "empirical-process-lil")
def empirical_process(i):
    from confseq.quantiles import empirical_process_lil_bound

    return {"bound": empirical_process_lil_bound(i["t"], i["alpha"], i["t_min"], i["A"])}


@row("confseq", "quantiles.quantile_ab_p_value", "always-valid p of equal quantiles", "quantile-ab-*")
def quantile_ab(i):
    import numpy
    from confseq.quantiles import quantile_ab_p_value

    grid = -numpy.log(1 - (numpy.arange(i["n"]) + 0.5) / i["n"])
    a, b = i["scale_a"] * grid, i["scale_b"] * grid
    return {"p": quantile_ab_p_value(a, b, i["quantile"], i["t_opt"], i["alpha_opt"])}


# savvi: counts against expected shares.


def odds(counts, theta, k):
    import numpy
    from savvi.multinomial import Multinomial

    test = Multinomial(0.05, numpy.array(theta), k=k)
    test.update(numpy.array(counts))
    return float(test.odds)


@row("savvi", "multinomial.Multinomial.odds", "sequential test of the split", "srm-sequential-[0-9]*")
def srm_sequential(i):
    e = odds(i["counts"], i["theta"], i["k"])
    return {"ln_e": math.log(e), "inverse_e": 1 / e, "p": min(1, 1 / e)}


@row("savvi", "multinomial.Multinomial.odds", "the same over two allocations", "srm-sequential-two-epochs")
def srm_epochs(i):
    # One test per allocation, multiplied.
    epochs = [math.log(odds(e["counts"], e["theta"], i["k"])) for e in i["epochs"]]
    return {"ln_e_epochs": epochs, "ln_e": sum(epochs)}


@row("savvi", "multinomial.Multinomial.odds", "e-value of events, Dirichlet mixture", "event-dirichlet-*")
def event_dirichlet(i):
    e = odds(i["counts"], i["theta"], i["k"])
    return {"e": e, "ln_e": math.log(e)}


# obp: what another policy would have earned.


def obp_estimators():
    """Loads `obp.ope.estimators` alone: the package around it loads data sets, plots and torch.

    `obp.utils` names `torch.Tensor` in annotations, and no function used here touches it, so without
    torch an empty class stands in for it while the module loads.
    """
    if "obp.ope.estimators" not in sys.modules:
        root = Path(importlib.util.find_spec("obp").origin).parent
        for name, folder in [("obp", root), ("obp.ope", root / "ope")]:
            package = types.ModuleType(name)
            package.__path__ = [str(folder)]
            sys.modules[name] = package
        stand_in = importlib.util.find_spec("torch") is None
        if stand_in:
            torch = types.ModuleType("torch")
            torch.Tensor = torch.tensor = type("Tensor", (), {})
            sys.modules["torch"] = torch
        importlib.import_module("obp.ope.estimators")
        if stand_in:
            del sys.modules["torch"]
    return sys.modules["obp.ope.estimators"]


def policy_value(i, estimator, **options):
    import numpy

    rounds, arms = len(i["actions"]), len(i["policy"])

    # obp has one row per round, and a last axis for the position in a list, of length 1.
    def each_round(values):
        return numpy.tile(numpy.array(values, dtype=float), (rounds, 1)).reshape(rounds, arms, 1)

    value = getattr(obp_estimators(), estimator)(**options).estimate_policy_value(
        reward=numpy.array(i["rewards"], dtype=float),
        action=numpy.array(i["actions"]),
        pscore=numpy.array(i["propensities"]),
        action_dist=each_round(i["policy"]),
        estimated_rewards_by_reg_model=each_round(i["q_hat"]),
        position=numpy.zeros(rounds, dtype=int),
    )
    return {"value": float(value)}


@row("obp", "InverseProbabilityWeighting", "IPS", "ope-ips")
def ips(i):
    return policy_value(i, "InverseProbabilityWeighting")


@row("obp", "InverseProbabilityWeighting(lambda_)", "IPS, clipped weights", "ope-ips-clip-*")
def ips_clipped(i):
    return policy_value(i, "InverseProbabilityWeighting", lambda_=i["clip"])


@row("obp", "SelfNormalizedInverseProbabilityWeighting", "SNIPS", "ope-snips")
def snips(i):
    return policy_value(i, "SelfNormalizedInverseProbabilityWeighting")


@row("obp", "DirectMethod", "direct method", "ope-dm")
def direct_method(i):
    return policy_value(i, "DirectMethod")


@row("obp", "DoublyRobust", "doubly robust", "ope-dr")
def doubly_robust(i):
    return policy_value(i, "DoublyRobust")


@row("obp", "SelfNormalizedDoublyRobust", "self-normalised doubly robust", "ope-sndr")
def self_normalised_doubly_robust(i):
    return policy_value(i, "SelfNormalizedDoublyRobust")


@row("obp", "SwitchDoublyRobust", "Switch-DR", "ope-switch-dr")
def switch_doubly_robust(i):
    return policy_value(i, "SwitchDoublyRobust", lambda_=i["switch"])


@row("obp", "DoublyRobustWithShrinkage", "DR with optimistic shrinkage", "ope-dros")
def doubly_robust_with_shrinkage(i):
    return policy_value(i, "DoublyRobustWithShrinkage", lambda_=i["shrinkage"])


# statsmodels: sample sizes, proportions, several comparisons.


@row("statsmodels", "samplesize_proportions_2indep_onetail", "sample size, two proportions, pooled",
     "power-pooled-*", "seed-abs5pp-*", "seed-rel5pct-*", "seed-50-55-*")
def pooled(i):
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    sides = "larger" if i.get("sided") == 1 else "two-sided"
    n = samplesize_proportions_2indep_onetail(
        i["p2"] - i["p1"], i["p1"], i["power"], alpha=i["alpha"], alternative=sides
    )
    return {"n": n}


def one_tail(difference, power, alpha, sd):
    from statsmodels.stats.power import normal_sample_size_one_tail

    return normal_sample_size_one_tail(difference, power, alpha, sd)


@row("statsmodels", "normal_sample_size_one_tail", "sample size, two proportions, unpooled", "power-unpooled-*")
def unpooled(i):
    # The standard deviation of one unit's contribution, the same under both hypotheses.
    sd = math.sqrt(i["p1"] * (1 - i["p1"]) + i["p2"] * (1 - i["p2"]))
    return {"n": one_tail(i["p2"] - i["p1"], i["power"], i["alpha"] / 2, sd)}


@row("statsmodels", "normal_sample_size_one_tail", "treated units of an unequal split", "treated-units-*")
def treated_units(i):
    # Per treated unit there are 1/k control units, k = share/(1 − share).
    k = i["share"] / (1 - i["share"])
    sd = math.sqrt(i["p1"] * (1 - i["p1"]) + k * i["p0"] * (1 - i["p0"]))
    return {"n_treated": one_tail(i["p1"] - i["p0"], i["power"], i["alpha"], sd)}


@row("statsmodels", "proportion_effectsize, normal_sample_size_one_tail", "sample size, Cohen's h, one tail",
     "power-cohen-h-*")
def cohen_h(i):
    from statsmodels.stats.proportion import proportion_effectsize

    h = proportion_effectsize(i["p2"], i["p1"])
    return {"h": h, "n": one_tail(h, i["power"], i["alpha"] / 2, math.sqrt(2))}


@row("statsmodels", "NormalIndPower.solve_power", "sample size, Cohen's h, both tails", "power-normalind-*")
def cohen_h_both_tails(i):
    from statsmodels.stats.power import NormalIndPower
    from statsmodels.stats.proportion import proportion_effectsize

    h = proportion_effectsize(i["p2"], i["p1"])
    return {"n": NormalIndPower().solve_power(h, alpha=i["alpha"], power=i["power"])}


@row("statsmodels", "TTestIndPower.solve_power", "sample size, two means (exact t)", "power-ttest-*")
def two_means(i):
    from statsmodels.stats.power import TTestIndPower

    return {"n": TTestIndPower().solve_power(i["d"], alpha=i["alpha"], power=i["power"])}


@row("statsmodels", "normal_sample_size_one_tail", "sample size, two means (normal)", "power-ttest-*")
def two_means_normal(i):
    return {"n_normal_approx": one_tail(i["d"], i["power"], i["alpha"] / 2, math.sqrt(2))}


@row("statsmodels", "power_proportions_2indep", "power at a given n", "power-at-*")
def power_at(i):
    from statsmodels.stats.proportion import power_proportions_2indep

    def power(alpha, sides):
        return power_proportions_2indep(
            i["p2"] - i["p1"], i["p1"], i["n"], alpha=alpha, alternative=sides
        ).power

    # The upper tail of a two-sided test at α is a one-sided test at α/2.
    return {
        "power_both_tails": power(i["alpha"], "two-sided"),
        "power_upper_tail": power(i["alpha"] / 2, "larger"),
    }


@row("statsmodels", "samplesize_confint_proportion", "n for a half-width, one proportion",
     "seed-margin-one-proportion")
def margin(i):
    from statsmodels.stats.proportion import samplesize_confint_proportion

    return {"n": samplesize_confint_proportion(i["p"], i["half_width"], i["alpha"])}


@row("statsmodels", "samplesize_confint_proportion", "n per arm for a half-width, difference",
     "seed-margin-difference")
def margin_of_difference(i):
    # A difference of two equal arms has √2 times the standard error of one of them.
    return margin(i | {"half_width": i["half_width"] / math.sqrt(2)})


@row("statsmodels", "proportions_ztest", "two-proportion z test, pooled", "prop-pooled-z-*")
def pooled_z(i):
    from statsmodels.stats.proportion import proportions_ztest

    z, p = proportions_ztest([i["x_b"], i["x_a"]], [i["n_b"], i["n_a"]])
    return {"z": z, "p": p}


def difference_interval(i, method):
    from statsmodels.stats.proportion import confint_proportions_2indep

    lower, upper = confint_proportions_2indep(
        i["x_b"], i["n_b"], i["x_a"], i["n_a"], method=method, compare="diff", alpha=i["alpha"]
    )
    return {"lower": lower, "upper": upper}


@row("statsmodels", "confint_proportions_2indep('newcomb')", "Newcombe's interval", "prop-newcombe-*")
def newcombe(i):
    return difference_interval(i, "newcomb")


@row("statsmodels", "confint_proportions_2indep('agresti-caffo')", "Agresti and Caffo's interval",
     "prop-agresti-caffo-*")
def agresti_caffo(i):
    return difference_interval(i, "agresti-caffo")


@row("statsmodels", "confint_proportions_2indep('wald')", "Wald's interval", "prop-wald-*")
def wald(i):
    return difference_interval(i, "wald")


@row("statsmodels", "proportion_confint('wilson')", "Wilson's interval", "wilson-*")
def wilson(i):
    from statsmodels.stats.proportion import proportion_confint

    lower, upper = proportion_confint(i["x"], i["n"], alpha=i["alpha"], method="wilson")
    return {"lower": lower, "upper": upper}


def adjusted(i, method):
    from statsmodels.stats.multitest import multipletests

    return {"adjusted": list(multipletests(i["p"], method=method)[1])}


@row("statsmodels", "multipletests('holm')", "Holm's adjusted p", "holm-*")
def holm(i):
    return adjusted(i, "holm")


@row("statsmodels", "multipletests('fdr_bh')", "Benjamini and Hochberg's adjusted p", "bh-*")
def benjamini_hochberg(i):
    return adjusted(i, "fdr_bh")


# scipy: classical tests, and quadrature of definitions.


@row("scipy", "stats.ttest_ind_from_stats", "Welch's test of means", "welch-means")
def welch_scipy(i):
    from scipy.stats import ttest_ind_from_stats

    test = ttest_ind_from_stats(
        i["mean_b"], i["sd_b"], i["n_b"], i["mean_a"], i["sd_a"], i["n_a"], equal_var=False
    )
    return {"t": test.statistic, "p": test.pvalue}


@row("scipy", "stats.binomtest.proportion_ci('wilson')", "Wilson's interval", "wilson-*")
def wilson_scipy(i):
    from scipy.stats import binomtest

    interval = binomtest(i["x"], i["n"]).proportion_ci(1 - i["alpha"], "wilson")
    return {"lower": interval.low, "upper": interval.high}


@row("scipy", "stats.chisquare", "χ² test of the split", "srm-chi2-*")
def srm_scipy(i):
    from scipy.stats import chisquare

    total, weights = sum(i["counts"]), sum(i["weights"])
    test = chisquare(i["counts"], [w / weights * total for w in i["weights"]])
    return {"chi2": test.statistic, "p": test.pvalue}


@row("scipy", "stats.false_discovery_control", "Benjamini and Hochberg's adjusted p", "bh-*")
def benjamini_hochberg_scipy(i):
    from scipy.stats import false_discovery_control

    return {"adjusted": list(false_discovery_control(i["p"]))}


@row("scipy", "special.lambertw", "exact optimum of ρ²", "rho-exact-optimum")
def rho_exact(i):
    from scipy.special import lambertw

    return {"rho2_n_star": -lambertw(-i["alpha"] ** 2 / math.e, -1).real - 1}


@row("scipy", "stats.binom.sf", "false alarms of a 1 % error-rate check", "one-percent-check-*")
def one_percent_check(i):
    from scipy.stats import binom

    return {"probability": binom.sf(math.floor(i["n"] * i["threshold"]), i["n"], i["p"])}


def integral(function, lower, upper, points):
    """The integral, in one piece between each two of the points."""
    from scipy.integrate import quad

    ends = [lower, *sorted({p for p in points if lower < p < upper}), upper]
    pieces = zip(ends, ends[1:])
    return math.fsum(quad(function, a, b, epsabs=0, epsrel=1e-12, limit=200)[0] for a, b in pieces)


def best_arm(posteriors):
    """The probability of each arm to be the best: ∫ density of the arm · Π distributions of the others."""
    points = [q for p in posteriors for q in p.ppf([1e-14, 1e-6, 0.01, 0.5, 0.99]).tolist()]
    points += [q for p in posteriors for q in p.isf([1e-6, 1e-14]).tolist()]

    def weight(arm):
        def density(x):
            others = (other.cdf(x) for other in posteriors if other is not arm)
            return arm.pdf(x) * math.prod(others)

        return integral(density, arm.ppf(1e-30), arm.isf(1e-30), points)

    return {"weights": [weight(arm) for arm in posteriors]}


@row("scipy", "stats.beta and integrate.quad of the definition", "Thompson weights, Beta posteriors",
     "ts-beta-*")
def thompson_beta(i):
    from scipy.stats import beta

    return best_arm([beta(arm["alpha"], arm["beta"]) for arm in i["arms"]])


@row("scipy", "stats.norm and integrate.quad of the definition", "Thompson weights, normal posteriors",
     "ts-gaussian-*")
def thompson_normal(i):
    from scipy.stats import norm

    return best_arm([norm(mean, sd) for mean, sd in zip(i["means"], i["sds"])])


@row("scipy", "stats.beta and integrate.quad of the definition", "Beta posteriors: P(B > A), expected losses",
     "beta-[0-9]*")
def beta_posteriors(i):
    from scipy.stats import beta

    a = beta(1 + i["x_a"], 1 + i["n_a"] - i["x_a"])
    b = beta(1 + i["x_b"], 1 + i["n_b"] - i["x_b"])
    points = [q for p in (a, b) for q in p.ppf([1e-12, 1e-4, 0.5, 1 - 1e-4, 1 - 1e-12]).tolist()]

    # E max(chosen is worse by, 0) = ∫ P(chosen ≤ x < other) dx.
    def loss(chosen, other):
        return integral(lambda x: chosen.cdf(x) * other.sf(x), 0, 1, points)

    return {
        "p_b_beats_a": integral(lambda x: b.pdf(x) * a.cdf(x), 0, 1, points),
        "loss_b": loss(b, a),
        "loss_a": loss(a, b),
    }


def event_log_ratio(stages, x, r0):
    # ln of the likelihood at the rate ratio r0 eˣ over the likelihood at r0.
    def stage(s):
        odds = s["share"] * r0
        total = s["treated"] + s["control"]
        return s["treated"] * x - total * math.log1p(odds * math.expm1(x) / (odds + 1 - s["share"]))

    return sum(stage(s) for s in stages)


def event_ln_e(stages, r0, tau, one_sided):
    """ln of the likelihood ratio, averaged over a normal (or half-normal) x with scale τ."""
    from scipy.optimize import brentq, minimize_scalar

    def log_integrand(x):
        return event_log_ratio(stages, x, r0) - x * x / (2 * tau * tau)

    # The logarithm is concave: the integral is where it is within 45 of its greatest value.
    low, high = (0 if one_sided else -60), 60
    mode = minimize_scalar(lambda x: -log_integrand(x), bounds=(low, high), method="bounded").x
    top = log_integrand(mode)

    def fallen(x):
        return log_integrand(x) - top + 45

    lower = brentq(fallen, low, mode) if fallen(low) < 0 else low
    upper = brentq(fallen, mode, high)
    steps = [(upper - lower) / 16 * k + lower for k in range(1, 16)]
    mass = integral(lambda x: math.exp(log_integrand(x) - top), lower, upper, [mode, *steps])
    density = (2 if one_sided else 1) / (tau * math.sqrt(2 * math.pi))
    return top + math.log(mass * density)


@row("scipy", "integrate.quad of the definition", "e-value of events at a known share", "event-e-*")
def event_e(i):
    if "r0" in i:
        ln_e = event_ln_e(i["stages"], i["r0"], i["tau"], True)
        return {"ln_e": ln_e, "e": math.exp(ln_e)}
    values = {
        f"ln_e_one_sided_r0_{r0}": event_ln_e(i["stages"], float(r0), i["tau"], True)
        for r0 in ["1", "1.1", "1.25"]
    }
    values["ln_e_two_sided_r0_1"] = event_ln_e(i["stages"], 1.0, i["tau"], False)
    plain = {name.removeprefix("ln_"): math.exp(v) for name, v in values.items() if v < 700}
    return values | plain


@row("scipy", "integrate.quad, optimize.brentq of the definition", "confidence sequence of a rate ratio",
     "event-e-*")
def event_sequence(i):
    from scipy.optimize import brentq

    if "r0" in i:
        return {}
    stages = i["stages"]
    level = event_ln_e(stages, 1.0, i["tau"], False) - math.log(1 / i["alpha"])

    # r = eˣ is inside while the mixture over 1 has less than 1/α times its likelihood.
    def inside(x):
        return event_log_ratio(stages, x, 1.0) - level

    treated, control = (sum(s[arm] for s in stages) for arm in ("treated", "control"))
    grid = [k / 1000 for k in range(-20_000, 20_001)]
    best = max(grid, key=inside)
    ends = {}
    # Without an event in an arm the sequence has no end on that side, and there is nothing to solve.
    if treated:
        ends["cs_lower"] = math.exp(brentq(inside, -20, best, xtol=1e-14))
    if control:
        ends["cs_upper"] = math.exp(brentq(inside, best, 20, xtol=1e-14))
    return ends


@row("scipy", "special.rel_entr, optimize.brentq of the definition", "KL-UCB index",
     "kl-ucb-[abc]-*", "kl-ucb-edge-0-10")
def kl_ucb(i):
    from scipy.optimize import brentq
    from scipy.special import rel_entr

    mean = i["x"] / i["n"]
    bound = (math.log(i["t"]) + i["c"] * math.log(math.log(i["t"]))) / i["n"]

    def excess(q):
        return rel_entr(mean, q) + rel_entr(1 - mean, 1 - q) - bound

    return {"index": brentq(excess, mean, 1 - 1e-16, xtol=1e-15)}


# The comparison.


def flat(value):
    if isinstance(value, list):
        return [number for item in value for number in flat(item)]
    return [float(value)]


def relative_difference(got, expected):
    if got == expected:
        return 0.0
    return abs(got - expected) / (abs(expected) or 1)


def agrees(got, expected, tolerance):
    # As in the test, a value within 1e-13 is equal: some are 0.
    return got == expected or abs(got - expected) <= max(tolerance * abs(expected), 1e-13)


def compare(oracles, patterns, compute):
    """The ids that were covered, the pairs that disagree, the number of values and the largest difference."""
    covered, wrong, count, largest = set(), [], 0, 0.0
    for oracle in oracles:
        if not any(fnmatch.fnmatchcase(oracle["id"], p) for p in patterns):
            continue
        tolerance = max(oracle["tolerance"], 1e-9)
        try:
            got = compute(oracle["inputs"])
        except Exception as error:  # another version of the library may have another interface
            wrong.append(f"{oracle['id']}: {error!r}")
            continue
        for name in sorted(got.keys() & oracle["expected"].keys()):
            pairs = list(zip(flat(got[name]), flat(oracle["expected"][name]), strict=True))
            for value, expected in pairs:
                covered.add(oracle["id"])
                count += 1
                largest = max(largest, relative_difference(value, expected))
                if not agrees(value, expected, tolerance):
                    wrong.append(f"{oracle['id']}: {name} is {value!r}, not {expected!r}")
    return covered, wrong, count, largest


def missing(library):
    try:
        if library == "obp":
            if importlib.util.find_spec("obp") is None:
                return True
            obp_estimators()
        else:
            importlib.import_module(library)
    except ImportError as error:
        print(f"{library}: {error}", file=sys.stderr)
        return True
    return False


def main():
    warnings.simplefilter("ignore")
    oracles = json.loads(ORACLES.read_text(encoding="utf-8"))
    absent = [library for library in LIBRARIES if missing(library)]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES if name not in absent]
    print(", ".join([f"Python {sys.version.split()[0]}", *versions]) + "\n")
    print("| method | library and function | values compared | largest relative difference | agrees |")
    print("|---|---|---:|---:|---|")
    covered, total, all_wrong = set(), 0, []
    for library in LIBRARIES:
        if library in absent:
            print(f"| | {library} | | | not installed |")
            continue
        for name, function, method, patterns, compute in ROWS:
            if name != library:
                continue
            ids, wrong, count, largest = compare(oracles, patterns, compute)
            covered |= ids
            total += count
            all_wrong += [f"{library}: {line}" for line in wrong]
            verdict = "yes" if count and not wrong else "**no**"
            print(f"| {method} | {library}: `{function}` | {count} | {largest:.1e} | {verdict} |")
            if not count:
                all_wrong.append(f"{library}: nothing to compare for {', '.join(patterns)}")
    print(f"\n{total} comparisons, on {len(covered)} of {len(oracles)} oracles.")
    for line in all_wrong:
        print(line, file=sys.stderr)
    return 1 if all_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
