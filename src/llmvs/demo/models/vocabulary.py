"""The tokenizer of the small models: whole words where it knows them, bytes elsewhere."""

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import TokenizersBackend

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"


WORDS = """
a an the this that these it is are was be to of in on at by for from with into over under near
behind beside between across through and or but not no as than then while after before again still
same other one two three four five six seven eight nine ten zero score scores number integer answer
rate important importance frame frames video caption captions centre center summary man woman boy
girl child people person crowd group team player rider driver dog cat bird horse fish animal car bus
truck train plane boat bike bicycle motorcycle road street track bridge tunnel river lake sea ocean
beach water wave waterfall snow ice sand grass field forest tree trees mountain hill sky cloud sun
moon night day rain fire smoke light lights city building house room kitchen table chair door window
wall floor roof tower stage stadium airport runway station shop market garden pool flag ball board
camera phone food cup plate knife bread cake fruit hand hands face head hair hat shirt jacket red
green blue yellow black white grey gray brown orange large small long short tall old young new dark
bright empty full round flat wet dry open closed fast slow left right up down out off away back
front top bottom side middle end start first last next many few some several another walking running
standing sitting jumping riding driving flying falling swimming playing holding looking watching
talking eating drinking cooking cutting opening closing turning moving waiting throwing catching
kicking climbing crossing landing leaving entering passing showing wearing carrying pulling pushing
burning shining making taking going coming getting being having object objects shape square circle
triangle line background scene shot picture image view describe detailed sentence around inside
above below along around its their her his her has have had who what how does do every both some
something nothing nobody more much most without while seen shown given wrong order carry carries
stand stands run runs jump jumps start starts stop stops stopped begin begins bring end ends open
opens throw throws hang hangs clap laugh laughs measure measures shoot crack cracks fan pick explain
balance help judge weigh matter matters miss show shows happen happens shorten whole single story
action dynamics narrative significance unique uniqueness novelty consecutive else would men women
kids children parents buildings windows houses cars rocks rock stone ground dirt leaves flowers
mountains hills waves machine helicopter airplane glider skateboard helmet apron towel bowl egg eggs
spoon spoons pan stove tray flour sugar flames edge counter distance windscreen whistle vests lawn
country fields straight pale wooden glass metal park area town fence yard air kite
""".split()  # noqa: SIM905 (a list literal would hide the words)
"""Plain words of captions and prompts, for models that have learnt nothing."""


def tokenizer(words: Iterable[str] = WORDS) -> TokenizersBackend:
    """A byte-level BPE tokenizer that knows `words` as whole tokens and spells everything else;
    decoding gives the text back.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = [BOS, EOS, PAD, IMAGE]
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        min_frequency=1,
        show_progress=False,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    bpe.train_from_iterator([" " + word for word in sorted(set(words))], trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, special.index(BOS))]
    )
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return TokenizersBackend(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=4096,
    )
