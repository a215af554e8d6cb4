# SPDX-License-Identifier: Apache-2.0
"""Callers that nobody here wrote, against the agent with its own broker."""
import json

import pytest
from peers import Peer, gofer, node, request
from proton import Message


def statuses(replies):
    return [r.get("status", "result") for r in replies]


def rhea_call(agent, body, kind="string"):
    child = node("rhea_caller.js", str(agent.port), "demo", json.dumps(body), kind)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_python_caller_gets_every_reply_in_order(peer):
    replies = peer.call("Demo", "echo", "hello", data={"task": 1})
    assert statuses(replies) == ["accepted", "started", "result"]
    assert replies[-1]["result"] == {"retval": "hello"}
    for r in replies:
        assert r["data"] == {"task": 1}
        assert r["routing"] == [None, peer.replyto]
        assert r["version"] == "2.0"
        assert len(r["timestamp"]) == len("2026-11-23T16:15:38Z")
    assert len({r["sn"] for r in replies}) == 1
    assert set(replies[0]) == {"data", "routing", "sn", "status", "timestamp", "version"}
    assert set(replies[2]) == {"data", "routing", "sn", "result", "timestamp", "version"}


def test_python_caller_sees_progress(peer):
    replies = peer.call("Demo", "count", 3)
    assert statuses(replies) == ["accepted", "started"] + ["progress"] * 3 + ["result"]
    assert [(r["total"], r["completed"]) for r in replies[2:5]] == [(3, 1), (3, 2), (3, 3)]


def test_exception_can_be_rebuilt_as_python_does_it(peer):
    result = peer.call("Demo", "fail", "no luck")[-1]["result"]
    assert set(result) == {"exval", "xmodule", "xclass", "xstate", "xargs"}
    module = __import__(result["xmodule"])
    rebuilt = getattr(module, result["xclass"])(*result["xargs"])
    assert isinstance(rebuilt, Exception) and str(rebuilt) == "no luck"
    assert "trace" in result["xstate"]


def test_constructor_and_plain_function(peer):
    body = request("Greeter", "greet", replyto=peer.replyto)
    body["request"]["cntr"] = [["Ann"], {"greeting": "hi"}]
    peer.send(json.dumps(body))
    assert "Ann" in peer.replies()[-1]["result"]["retval"]
    body = request("demo", "echo", {"a": [1, 2.5, None, True]}, replyto=peer.replyto)
    body["request"]["cntr"] = None
    peer.send(json.dumps(body))
    assert peer.replies()[-1]["result"]["retval"] == {"a": [1, 2.5, None, True]}


def test_keyword_arguments_under_either_name(peer):
    for name in ("kws", "kwargs"):
        body = request("Demo", "echo", replyto=peer.replyto)
        del body["request"]["kws"]
        body["request"][name] = {"something": "by name"}
        peer.send(json.dumps(body))
        assert peer.replies()[-1]["result"] == {"retval": "by name"}


def test_admin_answers_on_the_plugins_queue(peer):
    assert peer.call("Admin", "hello")[-1]["result"] == {"retval": "Hello, I am gofer agent"}
    text = peer.call("Admin", "help")[-1]["result"]["retval"]
    assert text.startswith("Plugins:\n\n  <plugin> demo\n    Classes:\n      <class> Demo\n"
                           "        Methods:\n")
    assert "          echo(self, something)\n" in text and "\nActions:" in text


@pytest.mark.parametrize("text", [
    "9007199254740993", "0.1000000000000000055511151231257827", "1e400", "-0.0", "1.0",
    '"a\\u0000b"', '"\\ud800"', '"h\\u00e9 \\u2603 \\ud83d\\ude00"',
    '{"b": 1, "a": [true, false, null]}', "123456789012345678901234567890"])
def test_values_survive_untouched(peer, text):
    body = request("Admin", "echo", replyto=peer.replyto, data="@DATA@")
    raw = json.dumps(body).replace('"args": []', '"args": [%s]' % text).replace('"@DATA@"', text)
    peer.send(raw)
    last = None
    while last is None or '"result"' not in last:
        last = peer.receive().body
        assert '"data": %s,' % text in last
    expected = json.dumps(json.loads(text), sort_keys=True) if text[0] == "{" else text
    assert '"retval": %s}' % expected in last


@pytest.mark.parametrize("kind", ["string", "binary", "data"])
def test_reply_comes_in_the_section_of_its_request(agent, kind):
    body = request("Demo", "echo", "hello")
    replies = rhea_call(agent, body, kind)
    assert statuses([json.loads(r["text"]) for r in replies]) == ["accepted", "started", "result"]
    assert [r["kind"] for r in replies] == [kind] * 3
    assert [r["correlation_id"] for r in replies] == [body["sn"]] * 3


def test_rhea_caller_sees_progress_exceptions_and_rejections(agent):
    def texts(body):
        return [json.loads(r["text"]) for r in rhea_call(agent, body)]
    replies = texts(request("Demo", "count", 2, data={"task": 1}))
    assert statuses(replies) == ["accepted", "started", "progress", "progress", "result"]
    assert replies[-1]["result"] == {"retval": 2} and replies[-1]["data"] == {"task": 1}
    assert texts(request("Demo", "fail", "no luck"))[-1]["result"]["xargs"] == ["no luck"]
    replies = texts(request("Demo", "hello", version="1.0"))
    assert statuses(replies) == ["rejected"] and replies[0]["code"] == "model.version"


def test_reply_to_of_the_message_stands_in_for_replyto(peer):
    body = request("Demo", "echo", "x")
    del body["replyto"]
    peer.send(json.dumps(body), reply_to=peer.replyto)
    assert peer.replies()[-1]["result"] == {"retval": "x"}


def test_no_replyto_no_reply(peer):
    peer.send(json.dumps(request("Demo", "echo", "x")))
    peer.hello()


def test_the_same_serial_number_runs_once_and_is_answered_again(peer):
    body = json.dumps(request("Demo", "echo", "once", replyto=peer.replyto))
    peer.send(body)
    first = peer.replies()[-1]
    peer.send(body)
    second = peer.replies()
    assert second[-1]["result"] == first["result"] and second[-1]["sn"] == first["sn"]
    assert "started" not in statuses(second)


def test_expired_request_is_dropped(peer):
    peer.send(json.dumps(request("Demo", "echo", "late", replyto=peer.replyto)),
              expiry_time=1.0)  # 1970
    peer.hello()


def test_result_is_as_durable_as_its_request(peer):
    for durable in (True, False):
        message = Message(body=json.dumps(request("Demo", "echo", 1, replyto=peer.replyto)),
                          durable=durable)
        sender = peer.connection.create_sender("demo")
        sender.send(message)
        sender.close()
        got = [peer.receive() for _ in range(3)]
        assert [m.durable for m in got] == [False, False, durable]


def test_hundred_callers_at_once(start, tmp_path):
    (tmp_path / "r/etc/gofer").mkdir(parents=True)  # the first is silent while the others come
    (tmp_path / "r/etc/gofer/agent.conf").write_text("[broker]\nidle_timeout = 10m\n")
    agent = start.agent(root=str(tmp_path / "r"))
    peers = [Peer(agent.url) for _ in range(100)]
    for i, p in enumerate(peers):
        p.send(json.dumps(request("Demo", "echo", i, replyto=p.replyto)))
    for i, p in enumerate(peers):
        assert p.replies()[-1]["result"] == {"retval": i}
        p.close()


def test_signed_request_is_taken_without_an_authenticator(peer):
    inner = json.dumps(request("Demo", "echo", "signed", replyto=peer.replyto))
    peer.send(json.dumps({"message": inner, "signature": "bm90IGNoZWNrZWQ="}))
    assert peer.replies()[-1]["result"] == {"retval": "signed"}


def test_call_says_no_such_address(agent):
    done = gofer("call", "-u", agent.url, "nobody-here", "Demo.hello")
    assert done.returncode == 69 and "nobody-here" in done.stderr and done.stdout == ""
