"""How tokenizers spell text: which token sequences they would write, whatever follows."""
