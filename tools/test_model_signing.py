"""OpenSSF's own model-signing package against our bundles. Called by saferl/registry/signing_test.cc.

  test_model_signing.py verify MODEL BUNDLE PUBLIC_PEM    exit 0 when it verifies, 1 with the reason
  test_model_signing.py sign MODEL BUNDLE PRIVATE_PEM     writes a bundle
"""
import sys

import model_signing


def main(verb, model, bundle, key):
    if verb == "sign":
        model_signing.signing.Config().use_elliptic_key_signer(private_key=key).sign(model, bundle)
        return
    try:
        model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key).verify(model, bundle)
    except Exception as error:  # whatever it is: the caller wants to see a refusal
        raise SystemExit(f"refused: {type(error).__name__}: {error}")
    print("verified")


if __name__ == "__main__":
    main(*sys.argv[1:])
