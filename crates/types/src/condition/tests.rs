use super::*;
use crate::attribute::Members;

fn attributes(json: &str) -> Attributes {
    Attributes::parse(serde_json::from_str::<Members>(json).unwrap().0).unwrap()
}

fn met(condition: &str, json: &str) -> bool {
    let condition = Condition::parse(condition).unwrap();
    let stored = serde_json::to_string(&condition).unwrap();
    let again: Condition = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, condition, "written as {stored}");
    condition.is_met(&attributes(json))
}

#[test]
fn conditions_hold_for_whom_they_are() {
    let german = r#"{"country": "DE", "app_version": "2.10.1", "age": 30, "beta": true}"#;
    for (condition, want) in [
        ("country in [DE, AT]", true),
        ("country in ['FR', \"AT\"]", false),
        ("country not in [FR]", true),
        ("country = DE", true),
        ("country == 'DE'", true),
        ("country != DE", false),
        ("version(app_version) >= 2.3", true),
        ("version(app_version) >= 2.11", false),
        ("version(app_version) < 2.10.1", false),
        ("version(app_version) > '2.10.1-rc.1'", true),
        ("version(app_version) in [2.10.1, 3]", true),
        ("age >= 18 and age < 31", true),
        ("beta = true and not (country = FR or age < 18)", true),
        ("beta = FALSE OR country IN [DE]", true),
        ("not not beta = true", true),
    ] {
        assert_eq!(met(condition, german), want, "{condition}");
    }
}

#[test]
fn who_is_unknown_is_outside() {
    for condition in [
        "country = DE",
        "country != DE",
        "not country = DE",
        "country not in [DE]",
        "not country in [DE]",
        "age > 3 and country = DE",
        // A text is not compared with a number.
        "plan = 3",
        "plan != 3",
        "not plan > 3",
        // Not a version.
        "version(plan) >= 1",
        "not version(plan) >= 1",
    ] {
        assert!(
            !met(condition, r#"{"plan": "pro", "age": 9}"#),
            "{condition}"
        );
    }
    // What is known is enough.
    assert!(met("country = DE or age > 3", r#"{"age": 9}"#));
    assert!(met("not (country = DE and age > 10)", r#"{"age": 9}"#));
}

#[test]
fn versions_are_compared_by_their_parts() {
    let order = |a: &str, b: &str| {
        Version::parse(a)
            .unwrap()
            .compare(&Version::parse(b).unwrap())
    };
    let ascending = [
        "1",
        "1.2",
        "1.10",
        "2.0.0-alpha",
        "2.0.0-alpha.1",
        "2.0.0-alpha.beta",
        "2.0.0-rc.2",
        "2.0.0-rc.10",
        "2",
        "2.0.1",
        "10",
    ];
    for (at, a) in ascending.iter().enumerate() {
        for (other, b) in ascending.iter().enumerate() {
            assert_eq!(order(a, b), at.cmp(&other), "{a} and {b}");
        }
    }
    assert_eq!(order("v2.3", "2.3.0+build.7"), Ordering::Equal);
    for wrong in ["", "a", "1..2", "1.x", "-1", "1.99999999999999999999"] {
        assert_eq!(Version::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    for (text, want) in [
        (
            "",
            "cannot be read at character 1: expected the name of an attribute, `version(`, `not` or `(`, found the end",
        ),
        (
            "country",
            "cannot be read at character 8: expected =, !=, <, <=, >, >=, `in` or `not in`, found the end",
        ),
        (
            "country = ",
            "cannot be read at character 11: expected a value, found the end",
        ),
        (
            "country = and",
            "cannot be read at character 11: expected a value, found `and`",
        ),
        (
            "(a = 1",
            "cannot be read at character 7: expected `)`, found the end",
        ),
        (
            "a = 1 b = 2",
            "cannot be read at character 7: expected `and`, `or` or the end, found `b`",
        ),
        (
            "a in DE",
            "cannot be read at character 6: expected a list, such as `[DE, AT]`, found `DE`",
        ),
        (
            "a in []",
            "cannot be read at character 7: expected a value, found `]`",
        ),
        (
            "a ! 1",
            "cannot be read at character 3: expected a name, a value or a comparison, found `!`",
        ),
        (
            "a = 'x",
            "cannot be read at character 5: the text has no closing quote",
        ),
    ] {
        assert_eq!(
            Condition::parse(text).unwrap_err().to_string(),
            want,
            "{text}"
        );
    }
    let ordered = Condition::parse("plan < pro").unwrap_err().to_string();
    assert!(
        ordered.contains("only numbers are more or less"),
        "{ordered}"
    );
    let version = Condition::parse("a >= 2.3.1").unwrap_err().to_string();
    assert!(
        version.contains("compare versions with `version(…)`"),
        "{version}"
    );
    assert!(Condition::parse("version(a) >= x").is_err());
    assert_eq!(
        Condition::parse(&"not ".repeat(100)).unwrap_err(),
        InvalidCondition::TooDeep
    );
    assert_eq!(
        Condition::parse(&"a".repeat(5_000)).unwrap_err(),
        InvalidCondition::TooLong
    );
    let deep = format!("{}a = 1{}", "(".repeat(1000), ")".repeat(1000));
    assert_eq!(
        Condition::parse(&deep).unwrap_err(),
        InvalidCondition::TooDeep
    );
}

#[test]
fn what_is_accepted_is_stored_as_it_was_written_and_read_again() {
    let words: Vec<String> = (0..650).map(|n| format!("c{n:04}")).collect();
    let numbers = vec!["1e300"; 600].join(",");
    for text in [
        format!("customer in [{}]", words.join(",")),
        format!("a in [{numbers}]"),
        format!("{}a not in [1]", "not ".repeat(MAX_DEPTH)),
        "version(a) = \"1-\n\" or a = 'it\\'s'".to_owned(),
        format!("{:<4000}", "a = 1"),
    ] {
        let condition = Condition::parse(&text).unwrap();
        assert_eq!(condition.to_string(), text.trim());
        let stored = serde_json::to_string(&condition).unwrap();
        assert_eq!(
            serde_json::from_str::<Condition>(&stored).unwrap(),
            condition
        );
    }
}
