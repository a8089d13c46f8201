"""Names of the settings in flags, environment variables and the settings file."""

from exporter.config import describe_settings


def test_every_setting_is_described_and_named_by_the_same_rule() -> None:
    for setting in describe_settings():
        assert setting.description
        assert setting.group
        if setting.flag:
            name = setting.flag.removeprefix("--").replace("-", "_").replace(".", "_")
            assert name == setting.name
            assert setting.variables == (f"LIVEPEER_EXPORTER_{name.upper()}",)
            assert setting.key in (name, None)
