"""LiteLLM's router asks a fitted router; the package is real, its answers are mocked."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace.litellm import (
    Request,
    RoutingPlugin,
    RoutingStrategy,
    cascade,
    costs_of,
    mean_logprob,
)
from routers import Blend

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its table of prices, off the net
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its dependencies deprecate each other
    litellm = pytest.importorskip("litellm", exc_type=ImportError)

pytestmark = [
    # Of its own: types of its cooldowns, and a mock response that is more than a text.
    pytest.mark.filterwarnings("ignore:.*using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

MODELS = ["small", "medium", "large"]
SERVED = {"small": "gpt-4o-mini", "medium": "gpt-4.1", "large": "gpt-4o"}
COSTS = [0.1, 0.5, 2.0]
MESSAGES = [{"role": "user", "content": "a secret"}]


def fitted(strategy: str = "cascade_routing", lambda_: float = 0.2) -> hr.Router:
    """Return a router whose estimates are its features: qualities, then costs."""
    rng = np.random.default_rng(0)
    quality = rng.random((40, 3))
    features = np.hstack([quality, np.tile(COSTS, (40, 1))])
    log = hr.QueryLog(quality, COSTS, features=features, signals=quality, models=MODELS)
    return hr.Router(Blend(), strategy=strategy, lambda_=lambda_, lookahead=1.0).fit(log)


def answer_of(logprob: float, text: str = "forty-two") -> Any:
    """Return a response with the log-probability of each of its tokens."""
    token = {"token": "t", "logprob": logprob, "bytes": None, "top_logprobs": []}
    return litellm.ModelResponse(
        choices=[
            {
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": [token, token]},
            }
        ],
        usage={"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    )


def gateway(
    answers: dict[str, Any] | None = None, *, group: str | None = None, **options: Any
) -> Any:
    """Return LiteLLM's router with a mocked deployment for each model, and one more."""
    given = dict.fromkeys(MODELS, "yes") | (answers or {})
    deployments = [
        {
            "model_name": group or model,
            "litellm_params": {
                "model": f"openai/{SERVED[model]}",
                "api_key": "none",
                "mock_response": given[model],
            },
        }
        for model in MODELS
    ]
    other = {"model": "openai/gpt-4.1-nano", "api_key": "none", "mock_response": "other"}
    deployments.append({"model_name": "other", "litellm_params": other})
    return litellm.Router(model_list=deployments, num_retries=0, **options)


def features_of(request: Request) -> list[float]:
    """Return the estimates, which the sender puts into the metadata."""
    assert request.messages == MESSAGES
    features: list[float] = request.metadata["features"]
    return features


def ask(row: Sequence[float]) -> dict[str, Any]:
    """Return the arguments of a request with these qualities expected of the models."""
    return {"messages": MESSAGES, "metadata": {"features": [*row, *COSTS]}}


def selected(router: hr.Router, rows: Sequence[Sequence[float]]) -> list[str]:
    """Return what the router itself runs first."""
    features = np.hstack([rows, np.tile(COSTS, (len(rows), 1))])
    queries = hr.QueryLog(rows, COSTS, features=features, signals=rows, models=MODELS).queries
    chosen = router.select(queries, np.zeros((len(rows), 3), dtype=bool)).next_model
    return [MODELS[i] for i in chosen]


def rows_of(n: int) -> list[list[float]]:
    rows: list[list[float]] = np.random.default_rng(1).random((n, 3)).tolist()
    return rows


def answered(response: Any) -> str:
    """Return the model of the router that a response is of."""
    return next(model for model, served in SERVED.items() if response.model.endswith(served))


class TestStrategy:
    @pytest.mark.parametrize("strategy", ["cascade_routing", "routing", "index"])
    def test_it_picks_what_the_router_selects(self, strategy: str) -> None:
        router = fitted(strategy)
        chooses = RoutingStrategy(gateway(), router, features=features_of)
        rows = rows_of(200)

        async def picks() -> list[str]:
            return [
                (await chooses.async_get_available_deployment("headrace", **picked(row)))[
                    "model_name"
                ]
                for row in rows
            ]

        expected = selected(router, rows)
        assert set(expected) == set(MODELS)
        assert asyncio.run(picks()) == expected
        for row, model in list(zip(rows, expected, strict=True))[:20]:
            picked_now = chooses.get_available_deployment("headrace", **picked(row))
            assert picked_now["model_name"] == model

    def test_requests_are_answered_by_the_model_it_picks(self) -> None:
        router, through = fitted(), gateway()
        RoutingStrategy(through, router, features=features_of).install()
        rows = rows_of(12)

        async def answers() -> list[str]:
            asked = [through.acompletion(model="headrace", **ask(row)) for row in rows]
            return [answered(response) for response in await asyncio.gather(*asked)]

        assert asyncio.run(answers()) == selected(router, rows)

    def test_threads_share_it(self) -> None:
        router, through = fitted(), gateway()
        RoutingStrategy(through, router, features=features_of).install()
        rows = rows_of(16)
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda row: through.completion(model="headrace", **ask(row)), rows)
            assert [answered(answer) for answer in answers] == selected(router, rows)

    def test_a_synchronous_request_within_a_loop(self) -> None:
        router, through = fitted(), gateway()
        RoutingStrategy(through, router, features=features_of).install()

        async def within() -> Any:
            return through.completion(model="headrace", **ask([0.9, 0.1, 0.1]))

        assert answered(asyncio.run(within())) == "small"

    def test_other_requests_are_left_to_litellm(self) -> None:
        through = gateway()
        RoutingStrategy(through, fitted(), features=features_of).install()
        assert through.completion(model="other", messages=MESSAGES).model == "gpt-4.1-nano"
        asked = through.acompletion(model="large", messages=MESSAGES)
        assert answered(asyncio.run(asked)) == "large"
        with pytest.raises(litellm.BadRequestError, match="nobody"):
            through.completion(model="nobody", messages=MESSAGES)

    def test_coroutine_functions_and_groups(self) -> None:
        seen = []

        async def later(request: Request) -> list[float]:
            await asyncio.sleep(0)
            return features_of(request)

        def group(request: Request) -> str:
            seen.append(request.metadata["features"])
            return "law"

        through = gateway()
        RoutingStrategy(through, fitted(), features=later, group=group).install()
        asked = through.acompletion(model="headrace", **ask([0.1, 0.1, 0.9]))
        assert answered(asyncio.run(asked)) == "large"
        assert seen == [[0.1, 0.1, 0.9, *COSTS]]
        with pytest.raises(TypeError, match="this request is synchronous: use acompletion"):
            through.completion(model="headrace", **ask([0.1, 0.1, 0.9]))

    def test_a_model_without_healthy_deployment_is_left_out(self) -> None:
        router = fitted()
        failing = Failing("small")
        strategy = RoutingStrategy(failing, router, features=features_of)
        best, second = [0.9, 0.3, 0.8], {"medium", "large"}
        assert selected(router, [best]) == ["small"]
        assert strategy.get_available_deployment("headrace", **picked(best))["model_name"] in second
        assert failing.asked[0] == "small"
        assert len(failing.asked) == 2
        pick = strategy.async_get_available_deployment("headrace", **picked(best))
        assert asyncio.run(pick)["model_name"] in second
        none_left = RoutingStrategy(Failing(*MODELS), router, features=features_of)
        with pytest.raises(RuntimeError, match="no healthy deployment"):
            none_left.get_available_deployment("headrace", **picked(best))
        with pytest.raises(RuntimeError, match="no healthy deployment"):
            asyncio.run(none_left.async_get_available_deployment("headrace", **picked(best)))

    def test_a_model_that_cools_down_is_left_out(self) -> None:
        two = gateway({"small": "litellm.RateLimitError"}, allowed_fails=0, cooldown_time=60)
        twin = {
            "model_name": "small",
            "litellm_params": {
                "model": "openai/gpt-4o-mini",
                "api_key": "another",
                "mock_response": "litellm.RateLimitError",
            },
        }
        through = litellm.Router(
            model_list=[*listed(two), twin], num_retries=0, allowed_fails=0, cooldown_time=60
        )
        RoutingStrategy(through, fitted(), features=features_of).install()

        async def answers() -> list[str]:
            seen = []
            for _ in range(4):
                try:
                    response = await through.acompletion(model="headrace", **ask([0.9, 0.3, 0.2]))
                    seen.append(answered(response))
                except litellm.RateLimitError:
                    seen.append("failed")
                await asyncio.sleep(0.05)  # LiteLLM cools down in a task of its own
            return seen

        seen = asyncio.run(answers())
        assert seen[0] == "failed"
        assert seen[-1] == "medium"

    def test_a_retry_goes_to_another_deployment(self) -> None:
        twins = [
            {
                "model_name": "small",
                "litellm_params": {
                    "model": "openai/gpt-4o-mini",
                    "api_key": key,
                    "mock_response": answer,
                },
            }
            for key, answer in (("one", "litellm.InternalServerError"), ("two", "fine"))
        ]
        others = [one for one in listed(gateway()) if one["model_name"] != "small"]
        through = litellm.Router(
            model_list=[*twins, *others], num_retries=8, model_group_alias={"headrace": "medium"}
        )
        RoutingStrategy(through, fitted(), features=features_of).install()

        async def answers() -> list[str]:
            return [
                answered(await through.acompletion(model="headrace", **ask([0.9, 0.1, 0.1])))
                for _ in range(6)
            ]

        assert asyncio.run(answers()) == ["small"] * 6

    def test_fallbacks(self) -> None:
        through = gateway({"small": "litellm.RateLimitError"}, fallbacks=[{"headrace": ["other"]}])
        RoutingStrategy(through, fitted(), features=features_of).install()
        response = through.completion(model="headrace", **ask([0.9, 0.1, 0.1]))
        assert response.model == "gpt-4.1-nano"

    def test_what_litellm_takes_out_of_the_arguments_is_gone(self) -> None:
        asked = picked([0.9, 0.1, 0.1])
        asked["request_kwargs"]["taken"] = 1
        RoutingStrategy(Failing(), fitted(), features=features_of).get_available_deployment(
            "headrace", **asked
        )
        assert list(asked["request_kwargs"]) == ["metadata", "added"]


class TestPlugin:
    pytestmark = pytest.mark.skipif(
        not hasattr(litellm.types.router, "RoutingPlugin"), reason="this LiteLLM has no plugins"
    )

    def test_a_group_is_narrowed_to_what_the_router_selects(self) -> None:
        router = fitted()
        names = {model: f"openai/{served}" for model, served in SERVED.items()}
        plugin = RoutingPlugin(router, features=features_of, deployments=names)
        assert isinstance(plugin, litellm.types.router.RoutingPlugin)
        through = gateway(group="chat", plugins=[plugin])
        rows = rows_of(20)

        async def answers() -> list[str]:
            asked = [through.acompletion(model="chat", **ask(row)) for row in rows]
            return [answered(response) for response in await asyncio.gather(*asked)]

        assert asyncio.run(answers()) == selected(router, rows)
        other = asyncio.run(through.acompletion(model="other", messages=MESSAGES))
        assert other.model == "gpt-4.1-nano"

    def test_it_chooses_among_the_models_of_the_group(self) -> None:
        context = litellm.types.router.RoutingContext(
            raw_messages=MESSAGES,
            structured_messages=MESSAGES,
            candidate_models=["medium", "unknown", "large", "medium"],
            metadata={"features": [0.9, 0.8, 0.1, *COSTS]},
        )
        narrowed = asyncio.run(RoutingPlugin(fitted(), features=features_of).run(context))
        assert narrowed.candidate_models == ["medium", "medium"]
        assert narrowed.signals == {"headrace": {"model": "medium"}}


class TestCascade:
    def run(self, through: Any, row: Sequence[float], **options: Any) -> hr.Run:
        router = options.pop("router", None) or fitted()
        return asyncio.run(
            cascade(through, router, features=features_of, **{**ask(row), **options})
        )

    def test_it_stops_when_another_model_is_not_worth_its_price(self) -> None:
        through = gateway({"small": answer_of(-0.01, "fine")})
        run = self.run(through, [0.9, 0.8, 0.8])
        assert (run.model, run.ran) == ("small", ("small",))
        assert run.answer.choices[0].message.content == "fine"
        assert run.cost == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)

    def test_it_goes_on_after_a_poor_answer(self) -> None:
        answers = {"small": answer_of(-3.0), "medium": answer_of(-2.0), "large": answer_of(-0.1)}
        through = gateway(answers)
        row = [0.9, 0.85, 0.9]
        run = self.run(through, row)
        session = fitted().start([*row, *COSTS])
        while (model := session.next_model) is not None:
            session.observe(model, mean_logprob(answers[model]))
        assert run.ran == session.ran
        assert len(run.ran) > 1
        assert run.model == session.answer
        prices = costs_of(
            [SERVED[model] for model in run.ran], prompt_tokens=1000, completion_tokens=100
        )
        assert run.cost == pytest.approx(prices.sum())

    def test_signal_and_cost_are_the_users(self) -> None:
        run = self.run(
            gateway(),
            [0.9, 0.8, 0.8],
            signal=lambda response: len(response.choices[0].message.content) / 3,
            cost=lambda response: 0.25,
        )
        assert (run.model, run.cost) == ("small", 0.25)

    @pytest.mark.parametrize(
        ("failure", "reason"),
        [
            ("litellm.RateLimitError", "RateLimitError"),
            ("litellm.InternalServerError", "InternalServerError"),
            ("no logprobs", "ValueError: the answer has no log-probabilities: give signal="),
        ],
    )
    def test_models_that_fail_are_excluded(self, failure: str, reason: str) -> None:
        answers = {"small": failure, "medium": answer_of(-0.1), "large": answer_of(-0.1)}
        run = self.run(gateway(answers, fallbacks=[{"small": ["other"]}]), [0.9, 0.7, 0.1])
        assert run.model == "medium"
        assert list(run.failures) == ["small"]
        assert reason in run.failures["small"]

    def test_an_exception_object(self) -> None:
        broken = ConnectionError("no route")
        with pytest.raises(hr.AllModelsFailed, match="no route") as caught:
            self.run(gateway(), [0.9, 0.7, 0.1], mock_response=broken)
        assert set(caught.value.failures) == set(MODELS)

    def test_models_that_are_late_are_excluded(self) -> None:
        through = gateway({"medium": answer_of(-0.1)})
        answer = through.acompletion

        async def slow(model: str, **arguments: Any) -> Any:
            if model == "small":
                await asyncio.sleep(60)
            return await answer(model=model, **arguments)

        through.acompletion = slow
        run = self.run(through, [0.9, 0.7, 0.1], timeout=5.0)
        assert run.model == "medium"
        assert run.failures == {"small": "no answer within 5 s"}

    def test_routers_without_signals(self) -> None:
        log = hr.QueryLog([[0.5, 0.5, 1.0]] * 8, COSTS, models=MODELS)
        router = hr.Router(hr.GaussianEstimator(), lambda_=0.01).fit(log)
        run = asyncio.run(cascade(gateway(), router, MESSAGES, signal=None))
        assert run.model == "large"

    def test_prices_of_deployments(self) -> None:
        def through(whose: str, about: dict[str, Any] | None = None, **prices: float) -> Any:
            own = {"api_key": "none", "mock_response": answer_of(-0.1), **prices}
            return litellm.Router(
                model_list=[
                    {
                        "model_name": model,
                        "litellm_params": {"model": f"openai/{whose}-{model}", **own},
                        "model_info": about or {},
                    }
                    for model in MODELS
                ]
            )

        priced = through("ours", input_cost_per_token=1e-3, output_cost_per_token=2e-3)
        run = self.run(priced, [0.9, 0.1, 0.1])
        assert run.cost == pytest.approx(1000 * 1e-3 + 100 * 2e-3)
        based = through("azure", {"base_model": "gpt-4o-mini"})
        run = self.run(based, [0.9, 0.1, 0.1])
        assert run.cost == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)
        with pytest.raises(ValueError, match="no price for 'openai/theirs-small', a deployment"):
            self.run(through("theirs"), [0.9, 0.1, 0.1])

    def test_arguments_reach_litellm_unchanged(self) -> None:
        through = gateway()
        seen: list[dict[str, Any]] = []

        async def record(**arguments: Any) -> Any:
            seen.append(arguments)
            arguments["metadata"]["changed"] = True
            return answer_of(-3.0)

        through.acompletion = record
        metadata = {"features": [0.9, 0.9, 0.9, *COSTS]}
        run = asyncio.run(
            cascade(
                through, fitted(), MESSAGES, features=features_of, metadata=metadata, max_tokens=7
            )
        )
        assert len(seen) > 1
        prices = costs_of(
            [SERVED[model] for model in run.ran], prompt_tokens=1000, completion_tokens=100
        )
        assert run.cost == pytest.approx(prices.sum())  # which LiteLLM has not stated here
        assert list(metadata) == ["features"]
        for arguments in seen:
            assert arguments["max_tokens"] == 7
            assert arguments["logprobs"] is True
            assert arguments["disable_fallbacks"] is True
            assert arguments["messages"] == MESSAGES

    @pytest.mark.parametrize("name", ["model", "stream"])
    def test_arguments_that_cannot_be(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"{name} cannot be given"):
            self.run(gateway(), [0.9, 0.1, 0.1], **{name: True})


class TestNames:
    def test_other_names(self) -> None:
        router = fitted()
        names = {"small": "other", "medium": "medium", "large": "large"}
        strategy = RoutingStrategy(gateway(), router, features=features_of, deployments=names)
        picks = strategy.get_available_deployment("headrace", **picked([0.9, 0.1, 0.1]))
        assert picks["model_name"] == "other"

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            ({"small": "small"}, "the model 'medium' of the router has none"),
            ({**dict.fromkeys(MODELS, "small")}, "'small' stands for 'small' and for 'medium'"),
            ({"huge": "small"}, r"unknown model 'huge', the router has \['small'"),
            (
                {"small": "tiny", "medium": "medium", "large": "large"},
                "the model 'small' of the router has no deployment 'tiny' in LiteLLM's router",
            ),
        ],
    )
    def test_names_that_do_not_fit(self, names: dict[str, str], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            RoutingStrategy(gateway(), fitted(), deployments=names)
        with pytest.raises(ValueError, match=message):
            asyncio.run(cascade(gateway(), fitted(), MESSAGES, deployments=names))

    def test_a_model_that_litellm_lacks(self) -> None:
        log = hr.QueryLog([[0.5, 0.5]] * 8, [1.0, 2.0], models=["small", "absent"])
        router = hr.Router(hr.GaussianEstimator(), lambda_=0.1).fit(log)
        with pytest.raises(ValueError, match="'absent' of the router has no deployment in LiteLLM"):
            RoutingStrategy(gateway(), router)

    def test_what_is_no_router(self) -> None:
        with pytest.raises(TypeError, match=r"litellm_router must be a litellm\.Router, got str"):
            RoutingStrategy("router", fitted())
        with pytest.raises(TypeError, match=r"router must be a headrace\.Router, got str"):
            RoutingPlugin("router")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="not fitted yet"):
            RoutingPlugin(hr.Router(Blend()))
        with pytest.raises(TypeError, match="features must be a function of a Request, got 3"):
            RoutingPlugin(fitted(), features=3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="name must not be that of a deployment"):
            RoutingStrategy(gateway(), fitted(), name="small")


class TestPrices:
    def test_they_are_those_of_the_table(self) -> None:
        names = ["gpt-4o-mini", "openai/gpt-4o"]
        costs = costs_of(names, prompt_tokens=1000, completion_tokens=100)
        table = [litellm.model_cost[name.removeprefix("openai/")] for name in names]
        expected = [
            1000 * row["input_cost_per_token"] + 100 * row["output_cost_per_token"] for row in table
        ]
        np.testing.assert_allclose(costs, expected, rtol=1e-12)
        rows = costs_of(
            names, prompt_tokens=[1000, 0], completion_tokens=np.array([[100, 100], [0, 10]])
        )
        assert rows.shape == (2, 2)
        np.testing.assert_allclose(rows[0], expected, rtol=1e-12)
        np.testing.assert_allclose(
            rows[1], [0.0, 10 * table[1]["output_cost_per_token"]], rtol=1e-12
        )
        column = costs_of(names, prompt_tokens=1000, completion_tokens=[100])
        np.testing.assert_allclose(column, [expected], rtol=1e-12)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"models": ["gpt-4o", "none", "nil"]}, r"no price per token for \['none', 'nil'\]"),
            ({"prompt_tokens": -1}, "prompt_tokens must not be negative"),
            ({"completion_tokens": 0.5}, "completion_tokens must be whole numbers"),
            ({"prompt_tokens": [1, 2], "completion_tokens": [1]}, "completion_tokens must have"),
        ],
    )
    def test_what_cannot_be(self, given: dict[str, Any], message: str) -> None:
        arguments = {"models": ["gpt-4o"], "prompt_tokens": 1, "completion_tokens": 1, **given}
        with pytest.raises(ValueError, match=message):
            costs_of(**arguments)

    def test_a_single_name(self) -> None:
        with pytest.raises(TypeError, match="models must be a sequence of names, got 'gpt-4o'"):
            costs_of("gpt-4o", prompt_tokens=1, completion_tokens=1)


def test_mean_logprob_reads_objects_and_mappings() -> None:
    response = answer_of(-0.5)
    assert mean_logprob(response) == -0.5
    response.choices[0].logprobs = {"content": [{"logprob": -1.0}, {"logprob": -2.0}]}
    assert mean_logprob(response) == -1.5


@pytest.mark.parametrize("own", [True, False])
def test_earlier_releases(own: bool) -> None:
    """Their names of what is asked for: with them alone, all of it works."""
    through = Earlier(listed(gateway()))
    router = fitted()
    strategy = RoutingStrategy(through, router, features=features_of)
    rows = rows_of(10)
    assert strategy.install() is strategy
    if own:
        picks = [through.get_available_deployment("headrace", **picked(row)) for row in rows]
    else:
        picks = [
            asyncio.run(through.async_get_available_deployment("headrace", **picked(row)))
            for row in rows
        ]
    assert [pick["model_name"] for pick in picks] == selected(router, rows)
    other = through.get_available_deployment("other", messages=MESSAGES)
    assert other["model_name"] == "other"


def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    through = Earlier(listed(gateway()))
    strategy = RoutingStrategy(through, fitted(), features=features_of)
    with caplog.at_level(logging.DEBUG):
        strategy.get_available_deployment("headrace", **picked([0.9, 0.1, 0.1]))
    assert "secret" not in caplog.text
    assert "secret" not in repr(Request.of(MESSAGES, {"metadata": {"a": "secret"}}))


def test_litellm_is_imported_when_it_is_needed() -> None:
    code = (
        "import sys; sys.modules['litellm'] = None\n"
        "from headrace.litellm import costs_of\n"
        "try: costs_of(['gpt-4o'], prompt_tokens=1, completion_tokens=1)\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "headrace[litellm]"' in done.stdout


def test_the_code_of_the_readme_runs() -> None:
    readme = Path(__file__).resolve().parent.parent / "README.md"
    section = readme.read_text(encoding="utf-8").split("## With LiteLLM\n")[1].split("\n## ")[0]
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(compile(block, str(readme), "exec"), names)
    assert names["run"].ran == ("small", "large")
    assert names["run"].answer.choices[0].message.content == "It is 42."
    assert names["run"].cost == pytest.approx(sum(names["log"].cost[0]))
    assert names["response"].choices[0].message.content == "Perhaps 41?"


class Failing:
    """LiteLLM's router before 1.109, of which some models have no healthy deployment."""

    model_list = tuple(
        {"model_name": model, "litellm_params": {"model": SERVED[model]}} for model in MODELS
    )

    def __init__(self, *down: str) -> None:
        self.down = down
        self.asked: list[str] = []

    def set_custom_routing_strategy(self, strategy: RoutingStrategy) -> None:
        raise AssertionError

    def get_available_deployment(self, model: str, **arguments: Any) -> dict[str, Any]:
        self.asked.append(model)
        if model in self.down:
            raise RuntimeError("no healthy deployment")
        arguments["request_kwargs"].pop("taken", None)
        arguments["request_kwargs"]["added"] = True
        return {"model_name": model}

    async def async_get_available_deployment(self, model: str, **arguments: Any) -> dict[str, Any]:
        return self.get_available_deployment(model, **arguments)


class Earlier:
    """What LiteLLM's router had before 1.109, and nothing that came with it."""

    get_available_deployment: Callable[..., Any]
    async_get_available_deployment: Callable[..., Any]

    def __init__(self, model_list: list[dict[str, Any]]) -> None:
        self.model_list = model_list

    def set_custom_routing_strategy(self, CustomRoutingStrategy: Any) -> None:  # noqa: N803
        self.get_available_deployment = CustomRoutingStrategy.get_available_deployment
        self.async_get_available_deployment = CustomRoutingStrategy.async_get_available_deployment

    def get_available_deployment(  # type: ignore[no-redef]
        self,
        model: str,
        messages: Any = None,
        input: Any = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return next(one for one in self.model_list if one["model_name"] == model)

    async def async_get_available_deployment(  # type: ignore[no-redef]
        self,
        model: str,
        request_kwargs: dict[str, Any],
        messages: Any = None,
        input: Any = None,
        specific_deployment: bool | None = False,
    ) -> dict[str, Any]:
        found: dict[str, Any] = Earlier.get_available_deployment(self, model)
        return found


def picked(row: Sequence[float]) -> dict[str, Any]:
    """Return the arguments with which LiteLLM asks a strategy."""
    asked = ask(row)
    return {"messages": asked["messages"], "request_kwargs": {"metadata": asked["metadata"]}}


def listed(through: Any) -> list[dict[str, Any]]:
    """Return the deployments of a LiteLLM router, whatever its release."""
    deployments: list[dict[str, Any]] = (
        through.registry().all() if hasattr(through, "registry") else through.model_list
    )
    return deployments


@pytest.fixture(autouse=True)
def nothing_global_changes() -> Iterator[None]:
    """LiteLLM keeps its callbacks for the process: nothing of ours may be among them."""
    yield
    callbacks = [*litellm.callbacks, *litellm.success_callback, *litellm.failure_callback]
    assert not any(type(one).__module__.startswith("headrace") for one in callbacks)
