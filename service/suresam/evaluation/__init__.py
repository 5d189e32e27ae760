"""How good a model's masks are, beside baselines that know nothing."""
