"""Entries of surrogates.toml for the tests of the generator: good ones, and every way to spoil one.

Values are TOML text, so that a wrong type or a broken line can be written as easily as a right one.
"""

from __future__ import annotations

# (1 + d/8)^8 in each of the three forms, with true claims: each refusal below spoils one.
GOOD_U = {
    "expression": '"0.125 * u"',
    "form": '"h(u)"',
    "squarings": "3",
    "domain": "[-8.0, 0.0]",
    "value_at_zero": "1.0",
    "tail": "0.0",
    "monotone": "true",
    "rescale": '"h"',
    "raw": "false",
    "origin": '"Euler"',
    "measured_error": "0.0355",
    "operations": "6",
}
GOOD_D = GOOD_U | {
    "expression": '"1 + a * d"',
    "let": '{ a = "0.125" }',
    "form": '"h(d)"',
    "operations": "7",
}
# A line from (-2, 0) to (0, 1) as the increment of a recurrence.
GOOD_G = {
    "expression": '"s + (1 + 0.5 * (x - m))"',
    "form": '"g(m, s, x)"',
    "domain": "[-2.0, 0.0]",
    "value_at_zero": "1.0",
    "tail": "0.0",
    "monotone": "true",
    "rescale": '"exp"',
    "raw": "true",
    "origin": '"a line"',
    "published_loss": "1e-2",
    "measured_error": "0.154",
    "operations": "4",
}


def entry_text(entry: dict[str, str], name: str = "foo") -> str:
    """Return the TOML table of an entry given as TOML values."""
    return f"\n[surrogates.{name}]\n" + "".join(f"{k} = {v}\n" for k, v in entry.items())


FILE_REFUSALS = [
    ("schema = 1\n[surrogates.foo", "is not TOML"),
    ("schema = 1" + entry_text(GOOD_U) + entry_text(GOOD_U), "is not TOML"),
    ("schema = 1" + entry_text(GOOD_D | {"let": '{ a = "1", a = "2" }'}), "is not TOML"),
    (entry_text(GOOD_U), "schema = None, but this generator reads 1"),
    ("schema = 2" + entry_text(GOOD_U), "schema = 2, but this generator reads 1"),
    ("schema = true" + entry_text(GOOD_U), "schema = True, but this generator reads 1"),
    ("schema = 1\nversion = 3" + entry_text(GOOD_U), "unknown key 'version'"),
    ("schema = 1", "there is no table"),
    ("schema = 1\n[surrogates]", "there is no table"),
]

NAME_REFUSALS = [
    ("Foo", "a name is a small letter"),
    ("_foo", "a name is a small letter"),
    ('"a b"', "a name is a small letter"),
    ('"a\\nb"', "a name is a small letter"),
    ("4th", "a name is a small letter"),
    ("x" * 41, "a name is a small letter"),
    ("exact", "the name is that of a hand-written variant"),
    ("poly2", "the name is that of a hand-written variant"),  # by name: taken
    ("poly3", "the name is that of a hand-written variant"),  # by name: taken
    ("poly4", "the name is that of a hand-written variant"),  # by name: taken
    ("mixed25", "the name is that of a hand-written variant"),  # by name: taken on CUDA
    ("two_expf", "the name is that of a hand-written variant"),  # by name: taken on CUDA
    ("foo_raw", "names ending in _raw"),
    ("double", "the name is reserved"),
    ("info", "the name is reserved"),
    ("a__b", "the name is reserved"),
]

# what is spoilt, the form, the new values (None: key left out), how the reason begins
Change = dict[str, str | None]
ENTRY_REFUSALS: list[tuple[str, dict[str, str], Change, str]] = [
    ("division", GOOD_U, {"expression": '"u / 8"'}, "'u / 8' is not allowed"),
    ("power", GOOD_U, {"expression": '"u ** 2"'}, "'u ** 2' is not allowed"),
    ("comparison", GOOD_U, {"expression": '"u > 1"'}, "'u > 1' is not allowed"),
    ("unary plus", GOOD_U, {"expression": '"+u"'}, "'+u' is not allowed"),
    ("attribute", GOOD_U, {"expression": '"u.real"'}, "'u.real' is not allowed"),
    ("subscript", GOOD_U, {"expression": '"u[0]"'}, "'u[0]' is not allowed"),
    ("lambda", GOOD_U, {"expression": '"(lambda: u)()"'}, "unknown function 'lambda: u'"),
    ("walrus", GOOD_U, {"expression": '"(v := u)"'}, "'v := u' is not allowed"),
    ("condition", GOOD_U, {"expression": '"u if u else 1"'}, "'u if u else 1' is not allowed"),
    ("text", GOOD_U, {"expression": "\"u + 'a'\""}, "''a'' is not a decimal literal"),
    ("exp", GOOD_U, {"expression": '"exp(u)"'}, "unknown function 'exp'"),
    ("import", GOOD_U, {"expression": "\"__import__('os')\""}, "unknown function '__import__'"),
    ("unknown name", GOOD_U, {"expression": '"u * v"'}, "unknown name 'v'; known here: u"),
    ("another form's name", GOOD_U, {"expression": '"u * d"'}, "unknown name 'd'"),
    ("hexadecimal", GOOD_U, {"expression": '"u * 0x8"'}, "'0x8' is not a decimal literal"),
    ("underscore", GOOD_U, {"expression": '"u * 1_0"'}, "'1_0' is not a decimal literal"),
    ("complex", GOOD_U, {"expression": '"u * 1j"'}, "'1j' is not a decimal literal"),
    ("True", GOOD_U, {"expression": '"u * True"'}, "'True' is not a decimal literal"),
    ("too large", GOOD_U, {"expression": '"u * 1e39"'}, "'1e39' does not fit into float32"),
    ("too small", GOOD_U, {"expression": '"u * 1e-50"'}, "'1e-50' does not fit into float32"),
    ("arity", GOOD_U, {"expression": '"max(u)"'}, "max() takes 2, got 'max(u)'"),
    ("keyword", GOOD_U, {"expression": '"abs(u, x=1)"'}, "abs() takes 1, got"),
    ("starred", GOOD_U, {"expression": '"max(u, *u)"'}, "'*u' is not allowed"),
    ("syntax", GOOD_U, {"expression": '"u *"'}, "'u *' is not an expression"),
    ("empty", GOOD_U, {"expression": '""'}, "'' is not an expression"),
    ("comment", GOOD_U, {"expression": '"0.125 * u # eighth"'}, "'0.125 * u # eighth' holds"),
    ("nesting", GOOD_U, {"expression": f'"{"-" * 3000}u"'}, "an expression that can't be read"),
    ("length", GOOD_U, {"expression": f'"{"u+" * 3000}u"'}, "an expression of 6001 characters"),
    ("constant", GOOD_U, {"expression": '"0.5"'}, "'u' is not used"),
    ("no x", GOOD_G, {"expression": '"s + m"'}, "'x' is not used"),
    ("unknown key", GOOD_U, {"speed": "1.0"}, "unknown key 'speed'"),
    ("expression's type", GOOD_U, {"expression": "1.0"}, "expression = 1.0 is not text"),
    ("operations' type", GOOD_U, {"operations": "6.0"}, "operations = 6.0 is not a whole"),
    ("bool as int", GOOD_U, {"squarings": "true"}, "squarings = True is not a whole"),
    ("monotone's type", GOOD_U, {"monotone": "1"}, "monotone = 1 is not true or false"),
    ("int as float", GOOD_U, {"tail": "0"}, "tail = 0 is not a finite decimal"),
    ("infinite", GOOD_U, {"measured_error": "inf"}, "measured_error = inf is not a finite"),
    ("NaN", GOOD_U, {"value_at_zero": "nan"}, "value_at_zero = nan is not a finite"),
    ("loss's type", GOOD_G, {"published_loss": '"1"'}, "published_loss = '1' is not a finite"),
    ("let's type", GOOD_D, {"let": '"a"'}, "let = 'a' is not an inline table"),
    ("let's value", GOOD_D, {"let": "{ a = 0.125 }"}, "let: a = 0.125 is not text"),
    ("let's name", GOOD_D, {"let": '{ "a b" = "1" }'}, "let: 'a b' is not a name"),
    ("argument in let", GOOD_D, {"let": '{ d = "1" }'}, "let: 'd' is defined already"),
    ("function in let", GOOD_D, {"let": '{ max = "1" }'}, "let: 'max' is defined already"),
    ("later let", GOOD_D, {"let": '{ a = "b", b = "1" }'}, "let: a: unknown name 'b'"),
    ("bad let", GOOD_D, {"let": '{ a = "1 / 8" }'}, "let: a: '1 / 8' is not allowed"),
    ("unused let", GOOD_D, {"let": '{ a = "0.125", b = "1" }'}, "'b' is not used"),
    ("form", GOOD_U, {"form": '"h(x)"'}, "form 'h(x)' is none of g(m, s, x), h(d), h(u)"),
    ("rescale", GOOD_U, {"rescale": '"nothing"'}, "rescale 'nothing' is none of exp, h"),
    ("origin", GOOD_U, {"origin": '" "'}, "origin is empty"),
    ("line in origin", GOOD_U, {"origin": r'"a\nb"'}, "origin holds a line break"),
    ("raw", GOOD_U, {"raw": "true"}, "raw = true needs the form g(m, s, x), not h(u)"),
    ("tail", GOOD_U, {"tail": "1e-6"}, "tail = 1e-06: a weight below the domain must be 0.0"),
    ("squarings < 0", GOOD_U, {"squarings": "-1"}, "squarings = -1 is not in 0..8"),
    ("squarings > 8", GOOD_U, {"squarings": "9"}, "squarings = 9 is not in 0..8"),
    ("one end", GOOD_U, {"domain": "[-8.0]"}, "domain = [-8.0] is not a list of two"),
    ("integer end", GOOD_U, {"domain": "[-8, 0]"}, "domain = [-8, 0] is not a list of two"),
    ("upper end", GOOD_U, {"domain": "[-8.0, 1.0]"}, "domain = [-8.0, 1.0] is not [negative, 0.0]"),
    ("lower end", GOOD_U, {"domain": "[8.0, 0.0]"}, "domain = [8.0, 0.0] is not [negative, 0.0]"),
    ("NaN end", GOOD_U, {"domain": "[nan, 0.0]"}, "domain = [nan, 0.0] is not [negative, 0.0]"),
    ("no end", GOOD_U, {"domain": "[-1e-50, 0.0]"}, "domain = [-1e-50, 0.0] is not [negative"),
    ("tiny domain", GOOD_U, {"domain": "[-1e-45, 0.0]"}, "value_at_zero = 1.0, but float32 gives"),
    ("far end", GOOD_U, {"domain": "[-104.5, 0.0]"}, "domain = [-104.5, 0.0] reaches below -104.0"),
    ("operations", GOOD_U, {"operations": "5"}, "operations = 5, but the expression takes 6"),
    ("value at 0", GOOD_U, {"value_at_zero": "1.00001"}, "value_at_zero = 1.00001, but float32 "),
    (
        "at zero, far off",
        GOOD_U,
        {"expression": '"0.5 - 0.125 * u"', "operations": "7"},
        "value_at",
    ),
    (
        "falling",
        GOOD_D,
        {"expression": '"1 + a * d + 0.2 * greater(-7, d)"', "operations": "10"},
        "monotone = true, but float32 falls from",
    ),
    (
        "error too small",
        GOOD_U,
        {"measured_error": "0.033"},
        "measured_error = 0.033, but an error",
    ),
    ("idle bound", GOOD_U, {"measured_error": "0.06"}, "measured_error = 0.06 is more than 1.5"),
    (
        "overflow",
        GOOD_U,
        {"expression": '"1e30 * u"', "monotone": "false"},
        "the weight of d = -7.99999952 is inf in float32",
    ),
    (
        "no increment",
        GOOD_G,
        {"expression": '"s * (1 + 0.5 * (x - m)) + 1"', "operations": "6"},
        "g(m, s, x) is not s + h(x - m)",
    ),
    (
        "not of x - m",
        GOOD_G,
        {"expression": '"s + (1 + 0.5 * (x + m))"'},
        "g(m, s, x) is not s + h(x - m)",
    ),
]
ENTRY_REFUSALS += [
    (f"no {key}", GOOD_G, {key: None}, f"key '{key}' is missing")
    for key in GOOD_G
    if key != "published_loss"
]
